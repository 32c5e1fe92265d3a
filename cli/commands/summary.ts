import type { z } from 'zod';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { plainText } from '../../core/plain-text.ts';
import type { summaryAnswer } from '../../client/api-answers.ts';
import { createApiClient } from '../../client/api-client.ts';
import { writeReport } from '../../embedded/write-report.ts';
import { parseApiOptions } from '../options/api-flags.ts';
import type { RawOptions } from '../options/flags.ts';
import { counted, formatCount } from '../print/quantities.ts';
import { wrapAt, wrapWords } from '../print/screen.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const SUCCESS = 0;
/** A report of a million failed targets takes minutes over a slow line. */
const REPORT_WITHIN_MS = 3_600_000;

/** A list that is as long as the API makes it may have been cut. */
const MAX_LISTED = 1000;
const MAX_SHOWN = 10;
const atLeast = (count: number) => (count >= MAX_LISTED ? 'at least ' : '');

type Summary = z.output<typeof summaryAnswer>;

/** The names, one a line, the first ten unless all are wanted. */
function listed(head: string, names: readonly string[], showAll: boolean): string {
  if (names.length === 0) return '';
  const shown = showAll ? names : names.slice(0, MAX_SHOWN);
  const rest = names.length - shown.length;
  const more = rest > 0 ? `  and ${atLeast(names.length)}${formatCount(rest)} more (--all lists them)\n` : '';
  return `\n${head}\n${shown.map((name) => `  ${name}\n`).join('')}${more}`;
}

/** How many targets failed, and how many were not tried before the end. */
function formatTargets(reasons: Summary['by_reason']): string {
  const { stopped = 0, ...own } = reasons;
  const failed = Object.values(own).reduce((sum, targets) => sum + targets, 0);
  const parts = [
    ...(failed > 0 ? [`${counted(failed, 'target')} failed`] : []),
    ...(stopped > 0 ? [`${counted(stopped, 'target')} not tried`] : []),
  ];
  // A server of an earlier version tells no reasons.
  return parts.length === 0 ? 'failed' : parts.join(', ');
}

function formatReasons(reasons: Summary['by_reason']): string {
  const sorted = Object.entries(reasons).toSorted(([, a], [, b]) => b - a);
  if (sorted.length === 0) return '';
  const lines = sorted.map(
    ([reason, targets]) => `  ${reason}: ${counted(targets, 'target')}${reason === 'stopped' ? ', not tried' : ''}\n`,
  );
  return `\nReasons:\n${lines.join('')}`;
}

/** What failed: the link to all of it first, then as much as fits on a screen. Ends with a line end. */
export function formatSummary(
  summary: Summary,
  options: { readonly showAll: boolean; readonly wrap: number | null; readonly out?: string | null },
): string {
  const { failure_pops: pops, failure_urls: urls, status, failure_pop_urls_report: report, by_reason: reasons } = summary;
  const name = summary.name === null ? '' : `${plainText(summary.name)}: `;
  if (pops.length === 0 && urls.length === 0) return `${name}${status}: nothing failed.\n`;
  const where = `${atLeast(urls.length)}${counted(urls.length, 'URL')} at ${atLeast(pops.length)}${counted(pops.length, 'POP')}`;
  const head = `${name}${status}: ${formatTargets(reasons)}: ${where}.`;
  const { showAll, out = null } = options;
  const link =
    out === null ? `Report of all failed targets (the link ends after an hour):\n${report}\n` : `Report of all failed targets: ${out}\n`;
  return `${wrapWords(head, options.wrap)}\n${link}${formatReasons(reasons)}${listed('POPs:', pops, showAll)}${listed('URLs:', urls, showAll)}`;
}

async function* linesOf(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

/** `prewarm summary ID`: what failed of a request that has ended. */
export async function summary(requestId: string, raw: RawOptions): Promise<number> {
  const options = parseApiOptions(raw, process.env, requestId);
  const out = typeof raw['out'] === 'string' ? raw['out'] : null;
  if (out === '') throw new InvalidInput([inputFault('--out', '', 'is empty; name the file that the report is written to')]);
  return untilInterrupted(
    async (signal) => {
      const client = createApiClient(options, signal);
      const answer = await client.summary(requestId);
      if (out !== null) await writeReport(out, linesOf(client.reportLines(answer.failure_pop_urls_report, REPORT_WITHIN_MS)));
      const look = { showAll: raw['all'] === true, wrap: wrapAt(process.stdout), out };
      process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : formatSummary(answer, look));
      return SUCCESS;
    },
    () => process.stderr.write('interrupted\n'),
  );
}
