import type { z } from 'zod';
import type { summaryAnswer } from './api-answers.ts';
import { createApiClient } from './api-client.ts';
import { parseApiOptions } from './api-flags.ts';
import type { RawOptions } from './flags.ts';
import { counted } from './quantities.ts';
import { untilInterrupted } from './until-interrupted.ts';

const SUCCESS = 0;

/** A list that is as long as the API makes it may have been cut. */
const MAX_LISTED = 1000;
const atLeast = (count: number) => (count >= MAX_LISTED ? 'at least ' : '');

type Summary = z.output<typeof summaryAnswer>;

function listed(head: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${head}\n${names.map((name) => `  ${name}\n`).join('')}\n`;
}

/** What failed, a name a line. Ends with a line end. */
function formatSummary(summary: Summary): string {
  const { failure_pops: pops, failure_urls: urls, status, failure_pop_urls_report: report } = summary;
  if (pops.length === 0 && urls.length === 0) return `${status}: nothing failed.\n`;
  const head = `${status}: ${atLeast(urls.length)}${counted(urls.length, 'URL')} failed at ${atLeast(pops.length)}${counted(pops.length, 'POP')}.`;
  return `${head}\n\n${listed('POPs:', pops)}${listed('URLs:', urls)}Report of the failed targets (the link ends after an hour):\n${report}\n`;
}

/** `prewarm summary ID`: what failed of a request that has ended. */
export async function summary(requestId: string, raw: RawOptions): Promise<number> {
  const options = parseApiOptions(raw, process.env, requestId);
  return untilInterrupted(
    async (signal) => {
      const answer = await createApiClient(options, signal).summary(requestId);
      process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : formatSummary(answer));
      return SUCCESS;
    },
    () => process.stderr.write('interrupted\n'),
  );
}
