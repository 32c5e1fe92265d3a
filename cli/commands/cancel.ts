import type { Progress } from '../../core/report/progress.ts';
import { createApiClient } from '../../client/api-client.ts';
import { parseApiOptions } from '../options/api-flags.ts';
import type { RawOptions } from '../options/flags.ts';
import { formatPlainLine } from '../print/progress-line.ts';
import { wrapAt, wrapWords } from '../print/screen.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const SUCCESS = 0;

/** How far the request had come. Ends with a line end. */
export function formatCancelled(progress: Progress, wrap: number | null): string {
  return `${wrapWords(formatPlainLine(progress), wrap, '  ')}\n`;
}

/** `prewarm cancel ID`: ends a request as STOPPED; one that has ended stays as it is. */
export async function cancel(requestId: string, raw: RawOptions): Promise<number> {
  const options = parseApiOptions(raw, process.env, requestId);
  return untilInterrupted(
    async (signal) => {
      const progress = await createApiClient(options, signal).cancel(requestId);
      process.stdout.write(options.json ? `${JSON.stringify(progress)}\n` : formatCancelled(progress, wrapAt(process.stdout)));
      return SUCCESS;
    },
    () => process.stderr.write('interrupted; whether it was cancelled, prewarm status tells\n'),
  );
}
