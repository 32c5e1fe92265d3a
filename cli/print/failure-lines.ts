import type { FailureDigest, FailedPop, FailureGroup, ReasonTotal } from '../../core/report/failure-digest.ts';
import { plainText } from '../../core/plain-text.ts';
import type { PopProgress } from '../../core/report/progress.ts';
import { counted, formatCount } from './quantities.ts';
import { wrapNote, wrapWords } from './screen.ts';

/** URLs on the screen, and in `--json`. */
export const MAX_SHOWN = 10;
const MAX_POPS_NAMED = 3;

/** What failed, and where the rest of it can be read. */
export interface ToldFailures {
  readonly digest: FailureDigest;
  /** `All failed targets: /tmp/failures.csv`; '': nowhere. */
  readonly whereAll: string;
  /** Every URL that is known instead of the first ten. */
  readonly showAll: boolean;
}

/** They concern a POP as a whole, so that its URLs tell nothing. */
const REASONS_OF_A_POP: readonly string[] = ['pop_unresolvable', 'address_refused'];
const isOfPop = ({ reason }: { readonly reason: string }) => REASONS_OF_A_POP.includes(reason);

const namesOf = (pops: readonly FailedPop[]) => pops.map(({ pop }) => pop);

function places(pops: readonly string[]): string {
  return pops.length <= MAX_POPS_NAMED ? pops.join(', ') : counted(pops.length, 'POP');
}

const why = (cause: string) => (cause === '' ? '' : `because: ${plainText(cause)}`);

/** One line a URL. What all URLs have in common stands above them. */
function urlLines(total: ReasonTotal, groups: readonly FailureGroup[], commonCause: string | null): readonly string[] {
  return groups.map(({ url, pops, cause }) => {
    const where = pops.length === total.pops.length ? '' : `  at ${places(pops)}`;
    const because = commonCause === null && cause !== '' ? `  ${why(cause)}` : '';
    return `  ${plainText(url)}${where}${because}`;
  });
}

/** `pop_unresolvable: 53 URLs at FOO1-P1: its name does not exist`, a line for each POP. */
function popLines({ reason, pops, isWhole }: ReasonTotal, width: number | null, showAll: boolean): readonly string[] {
  const shown = showAll ? pops : pops.slice(0, MAX_SHOWN);
  const lines = shown.map(({ pop, urls, cause }) => {
    const head = `${reason}: ${isWhole ? '' : 'at least '}${counted(urls, 'URL')} at ${pop}`;
    return wrapWords(cause === '' ? head : `${head}: ${plainText(cause)}`, width, '  ');
  });
  const rest = pops.length - shown.length;
  return rest > 0 ? [...lines, `${reason}: and at ${counted(rest, 'more POP')}`] : lines;
}

/** `status_404: 1 URL at 10 POPs: https://...`, or the URLs below it. */
function reasonLines(total: ReasonTotal, groups: readonly FailureGroup[], width: number | null): readonly string[] {
  const urls = `${total.isWhole ? '' : 'more than '}${counted(total.urls, 'URL')}`;
  const head = `${total.reason}: ${urls} at ${places(namesOf(total.pops))}`;
  const causes = new Set(groups.map(({ cause }) => cause));
  const [first = ''] = causes;
  const commonCause = causes.size <= 1 ? first : null;
  const because = commonCause === null || commonCause === '' ? [] : [wrapWords(`  ${why(commonCause)}`, width, '  ')];
  const [only] = groups;
  if (total.urls === 1 && only !== undefined) {
    const line = `${head}: ${plainText(only.url)}`;
    return width === null || line.length <= width ? [line, ...because] : [`${head}:`, `  ${plainText(only.url)}`, ...because];
  }
  const rest = total.urls - groups.length;
  return [
    `${head}${groups.length > 0 ? ':' : ''}`,
    ...because,
    ...urlLines(total, groups, commonCause),
    ...(rest > 0 && groups.length > 0 ? [`  and ${formatCount(rest)} more`] : []),
  ];
}

/** By reason alone, where the URLs are not known; '' where nothing failed of itself. */
export function formatReasonCounts(pops: readonly PopProgress[]): string {
  const reasons = new Map<string, { targets: number; pops: string[] }>();
  for (const { pop, failed_reasons } of pops) {
    for (const [reason, targets] of Object.entries(failed_reasons)) {
      if (targets === 0 || reason === 'stopped') continue;
      const total = reasons.get(reason) ?? { targets: 0, pops: [] };
      total.targets += targets;
      total.pops.push(pop);
      reasons.set(reason, total);
    }
  }
  const sorted = [...reasons].toSorted(([, a], [, b]) => b.targets - a.targets);
  const lines = sorted.map(([reason, total]) => `${plainText(reason)}: ${counted(total.targets, 'target')} at ${places(total.pops)}`);
  return lines.length === 0 ? '' : ['Failed:', ...lines].join('\n');
}

/** Which URLs failed, where and why, by reason; '' where nothing failed of itself. */
export function formatFailures({ digest, whereAll, showAll }: ToldFailures, width: number | null): string {
  // What was not tried is told in the closing sentence.
  const reasons = digest.reasons().filter(({ reason }) => reason !== 'stopped');
  if (reasons.length === 0) return '';
  const groups = digest.groups().filter((group) => group.reason !== 'stopped' && !isOfPop(group));
  const shown = showAll ? groups : groups.slice(0, MAX_SHOWN);
  const urlsOf = (total: ReasonTotal) => shown.filter(({ reason }) => reason === total.reason);
  const lines = reasons.flatMap((total) => (isOfPop(total) ? popLines(total, width, showAll) : reasonLines(total, urlsOf(total), width)));
  return ['Failed:', ...lines, ...(whereAll === '' ? [] : [wrapNote(whereAll, width)])].join('\n');
}
