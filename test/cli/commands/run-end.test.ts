import { styleText } from 'node:util';
import { describe, expect, test } from 'vitest';
import { formatFailures, type ToldFailures } from '../../../cli/print/failure-lines.ts';
import { formatClosing, formatEnd, formatPopTable } from '../../../cli/print/pop-table.ts';
import { formatBarLine, formatPlainLine } from '../../../cli/print/progress-line.ts';
import { createSteadyProgress } from '../../../cli/print/steady-progress.ts';
import { createFailureDigest } from '../../../core/report/failure-digest.ts';
import type { Progress } from '../../../core/report/progress.ts';
import { popWith, progressWith } from '../print/progress-fixture.ts';

const AT_END = progressWith({
  status: 'FINISHED',
  total_count: 12,
  download_count: 9,
  warmed_count: 8,
  already_warm_count: 1,
  verified_count: 9,
  failed_count: 3,
  near_count: 1,
  percentage_complete: 100,
  skipped_pops: ['BJS9-E1'],
  chosen_pop_count: 3,
});

const POPS = [
  popWith({
    pop: 'SIN2-P1',
    total_count: 6,
    warmed_count: 5,
    already_warm_count: 1,
    verified_count: 6,
    download_size: 1_234_567,
    separate_caches: true,
    ttfb_before_median_ms: 212.4,
    ttfb_before_p95_ms: 1412,
    ttfb_after_median_ms: 8.2,
    ttfb_after_p95_ms: 24.1,
  }),
  popWith({
    pop: 'FRA56-P4',
    total_count: 6,
    warmed_count: 3,
    failed_count: 3,
    failed_reasons: { status_503: 2, timeout: 1 },
    verified_count: 3,
    near_count: 1,
    download_size: 900,
    ttfb_before_median_ms: 99,
    ttfb_before_p95_ms: 120,
    ttfb_after_median_ms: 1.04,
    ttfb_after_p95_ms: 3,
  }),
];

const CITIES: Readonly<Record<string, string>> = { SIN: 'Singapore', FRA: 'Frankfurt am Main' };
const TABLE = { cityOf: (pop: string) => CITIES[pop.slice(0, 3)] ?? 'unknown', color: false, width: 120, wrap: null };

const FORCED = { validateStream: false } as const;

/** What failed, as a report's rows tell it. */
function failuresOf(rows: readonly (readonly [reason: string, url: string, pop: string, cause?: string])[]): ToldFailures {
  const digest = createFailureDigest();
  for (const [reason, url, pop, cause = ''] of rows) {
    const note = cause === '' ? '' : `"cause=${cause}"`;
    digest.add(`${url},${pop},default,failed,${reason},,,,,,,1,,,2026-01-01 00:00:00.000000,${note}`);
  }
  return { digest, whereAll: 'All failed targets: warm.d/failures.csv', showAll: false };
}

const THREE_FAILURES = failuresOf([
  ['status_503', 'https://www.example.com/a', 'FRA56-P4'],
  ['timeout', 'https://www.example.com/b', 'FRA56-P4', 'no headers within 30 s'],
  ['status_503', 'https://www.example.com/c', 'FRA56-P4'],
]);

describe('the end of a run', () => {
  test('the end of a run shows a table of POPs, the failed URLs by reason, the notes, and a sentence', () => {
    expect(formatEnd(AT_END, POPS, { ...TABLE, elapsedMs: 1234, failures: THREE_FAILURES })).toBe(
      `POP       City               Targets  Warmed  Already  Failed  Verified   Bytes  First ask, ms  Last check, ms
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
SIN2-P1   Singapore                6       5        1       0         6  1.2 MB    212 / 1,412        8.2 / 24
FRA56-P4  Frankfurt am Main        6       3        0       3         3   900 B       99 / 120       1.0 / 3.0
total                             12       8        1       3         9  1.2 MB
First ask: first byte of the first request for each target. Last check: first byte of its last hit. Median / p95 of what
busy agents saw, to within 9 %.

Failed:
status_503: 2 URLs at FRA56-P4:
  https://www.example.com/a
  https://www.example.com/c
timeout: 1 URL at FRA56-P4: https://www.example.com/b
  because: no headers within 30 s
All failed targets: warm.d/failures.csv

1 target answered by another POP of the same city (near): FRA56-P4.
Addresses that are caches of their own, each of which was warmed: SIN2-P1.

9 of 12 targets warm and verified, 3 failed, in 1.2 s, at 2 of 3 POPs; 1 has no address: BJS9-E1.
`,
    );
  });

  test("the colour of a run's last sentence says whether every target is warm", () => {
    const lastOf = (end: string) => end.trimEnd().split('\n').at(-1) ?? '';
    const colored = { ...TABLE, color: true, elapsedMs: 1234, failures: null };
    const all = { status: 'FINISHED', total_count: 9, download_count: 9, verified_count: 9 } as const;
    expect(lastOf(formatEnd(progressWith(all), [], colored))).toBe(
      styleText('green', '9 of 9 targets warm and verified in 1.2 s.', FORCED),
    );
    expect(lastOf(formatEnd(AT_END, [], colored))).toBe(
      styleText('red', '9 of 12 targets warm and verified, 3 failed, in 1.2 s, at 2 of 3 POPs; 1 has no address: BJS9-E1.', FORCED),
    );
  });

  test('the last sentence of a run says how it ended', () => {
    const all = { total_count: 9, download_count: 9, verified_count: 9 };
    expect(formatClosing(progressWith({ status: 'FINISHED', ...all }), 1234)).toBe('9 of 9 targets warm and verified in 1.2 s.');
    expect(formatClosing(progressWith({ status: 'FINISHED', ...all, verified_count: 7 }), 99_600)).toBe(
      '9 of 9 targets warm, 7 of them verified, in 1 min 40 s.',
    );
    expect(formatClosing(progressWith({ status: 'TIMEOUT', total_count: 9, failed_count: 9, stopped_count: 7 }), 60_000)).toBe(
      'Timed out: 0 of 9 targets warm, 2 failed, 7 targets not tried, in 1 min 00 s.',
    );
    expect(formatClosing(progressWith({ status: 'FAILED', status_reason: 'no POP resolves' }), 1)).toBe(
      'Nothing could be warmed: no POP resolves.',
    );
  });

  test('the end of a cancelled run names the API key that cancelled it, and does not count untried targets as failures', () => {
    const cancelled = { status: 'STOPPED', status_reason: 'cancelled by default', total_count: 4000, failed_count: 4000 } as const;
    expect(formatClosing(progressWith({ ...cancelled, stopped_count: 4000 }), 2000)).toBe(
      'Stopped: 0 of 4,000 targets warm, 4,000 targets not tried, in 2.0 s. Reason: cancelled with the API key named "default".',
    );
    expect(formatPlainLine(progressWith({ ...cancelled, stopped_count: 4000 }))).toBe(
      'STOPPED: 0%, 0/4,000 targets, 0 warmed, 0 already warm, 0 failed, 4,000 not tried, 0 B warm',
    );
  });
});

describe('what failed', () => {
  const many = (count: number, pops: readonly string[]) =>
    pops.flatMap((pop) => Array.from({ length: count }, (_, index) => ['status_404', `https://www.example.com/${index}`, pop] as const));

  test('the list of failures shows ten URLs with most failed targets first, and the number of the others', () => {
    const everywhere = ['SIN2-P1', 'FRA56-P4'].map(
      (pop) => ['not_cached', 'https://www.example.com/x', pop, 'cache-control: no-store'] as const,
    );
    const lines = formatFailures(failuresOf([...many(40, ['SIN2-P1']), ...everywhere]), null).split('\n');
    expect(lines.filter((line) => line.includes('https://'))).toHaveLength(10);
    expect(lines.slice(0, 2)).toEqual(['Failed:', 'status_404: 40 URLs at SIN2-P1:']);
    expect(lines.slice(-4)).toEqual([
      '  and 31 more',
      'not_cached: 1 URL at SIN2-P1, FRA56-P4: https://www.example.com/x',
      '  because: cache-control: no-store',
      'All failed targets: warm.d/failures.csv',
    ]);
  });

  test('the list of failures shows every URL on request', () => {
    const text = formatFailures({ ...failuresOf(many(40, ['SIN2-P1'])), showAll: true }, null);
    expect(text.match(/https:/g)).toHaveLength(40);
    expect(text).not.toContain('more');
  });

  test('the list of failures gives places and causes for each URL where they differ', () => {
    const text = formatFailures(
      failuresOf([
        ['tls', 'https://a.example/', 'SIN2-P1', 'certificate expired'],
        ['tls', 'https://b.example/', 'FRA56-P4', 'unknown authority'],
      ]),
      null,
    );
    expect(text.split('\n').slice(1, 4)).toEqual([
      'tls: 2 URLs at SIN2-P1, FRA56-P4:',
      '  https://a.example/  at SIN2-P1  because: certificate expired',
      '  https://b.example/  at FRA56-P4  because: unknown authority',
    ]);
  });

  test('the list of failures leaves out targets that were not tried, because the last sentence counts them', () => {
    expect(formatFailures(failuresOf([['stopped', 'https://a.example/', 'SIN2-P1']]), null)).toBe('');
  });
});

describe('a display that never goes back', () => {
  const counts = (download_count: number, provisional_count: number, provisional_bytes = 0) =>
    progressWith({ total_count: 100, download_count, provisional_count, provisional_bytes });
  const percents = (steps: readonly Progress[]) => {
    const steady = createSteadyProgress();
    return steps.map((step) => /(\d+)%/.exec(formatPlainLine(steady(step)))?.[1]);
  };

  test('the displayed percentage does not fall between the end of a task and its counting', () => {
    expect(percents([counts(0, 14), counts(0, 12), counts(13, 0), counts(14, 20), counts(33, 0)])).toEqual(['14', '14', '14', '34', '34']);
  });

  test('the displayed bytes do not fall between the end of a task and its counting', () => {
    const steady = createSteadyProgress();
    steady(counts(0, 10, 5000));
    expect(steady(counts(0, 5, 100)).provisional_bytes).toBe(5000);
  });

  test('the display ends with the true figures', () => {
    const steady = createSteadyProgress();
    steady(counts(0, 80));
    expect(steady({ ...counts(3, 0), status: 'TIMEOUT' }).provisional_count).toBe(0);
  });
});

test('the bar and the table show the targets that were already warm before columns that would be zero', () => {
  const figures = { total_count: 156, download_count: 100, already_warm_count: 100, failed_count: 56, percentage_complete: 100 };
  const bar = formatBarLine(progressWith({ ...figures, download_size: 2e6, total_size: 3e6 }), { width: 90, color: false, elapsedMs: 0 });
  expect(bar).toContain('100 already warm');
  expect(bar).not.toContain('0 warmed');
  const pop = popWith({ ...figures, ttfb_before_median_ms: 1, ttfb_before_p95_ms: 2, ttfb_after_median_ms: 1, ttfb_after_p95_ms: 2 });
  const [head] = formatPopTable([pop], { ...TABLE, width: 70 }).split('\n');
  expect(head).toContain('Already');
  expect(head).not.toContain('Warmed');
});
