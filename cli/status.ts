import { isEnded } from '../core/request.ts';
import { popCatalogue } from '../data/catalogue.ts';
import type { ProgressAnswer } from './api-answers.ts';
import { createApiClient } from './api-client.ts';
import { parseApiOptions } from './api-flags.ts';
import type { RawOptions } from './flags.ts';
import { elapsedOf, followRequest, howToGoOn, splitPops } from './follow-request.ts';
import { formatEnd, formatPopTable } from './pop-table.ts';
import { formatPlainLine } from './progress-line.ts';
import { createRunOutput } from './run-output.ts';
import { untilInterrupted } from './until-interrupted.ts';

const SUCCESS = 0;

/** How far it is in lines and a table, or how it ended. Ends with a line end. */
function formatStatus(answer: ProgressAnswer): string {
  const { progress, pops } = splitPops(answer);
  const { stdout } = process;
  const catalogue = popCatalogue();
  const width = stdout.isTTY ? { width: stdout.columns } : {};
  const table = { cityOf: (pop: string) => catalogue.describe(pop).city, color: stdout.isTTY && !process.env['NO_COLOR'], ...width };
  if (isEnded(progress.status)) return formatEnd(progress, pops, { ...table, elapsedMs: elapsedOf(progress) });
  const reason = progress.status_reason === null ? '' : `\n${progress.status_reason}`;
  const rows = pops.length > 0 ? `${formatPopTable(pops, table)}\n\n` : '';
  return `${rows}${formatPlainLine(progress)}${reason}\n`;
}

/** `prewarm status ID`: how far a request is; with `--wait`, until it has ended, with the exit code of its end. */
export async function status(requestId: string, raw: RawOptions): Promise<number> {
  const options = parseApiOptions(raw, process.env, requestId);
  const isWaiting = raw['wait'] === true;
  const work = async (signal: AbortSignal): Promise<number> => {
    const client = createApiClient(options, signal);
    if (isWaiting) {
      const output = createRunOutput(options);
      try {
        return await followRequest(requestId, { client, output, signal });
      } finally {
        output.close();
      }
    }
    const answer = await client.progress(requestId, { pops: true });
    process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : formatStatus(answer));
    return SUCCESS;
  };
  return untilInterrupted(work, () => process.stderr.write(`${isWaiting ? howToGoOn(requestId, options.endpointHint) : 'interrupted'}\n`));
}
