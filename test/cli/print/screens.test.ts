import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { formatCancelled } from '../../../cli/commands/cancel.ts';
import type { PopSurvey } from '../../../cli/commands/drill-survey.ts';
import { formatSurvey, formatVerdict } from '../../../cli/print/drill-tables.ts';
import { formatHelpText } from '../../../cli/print/help-text.ts';
import { describeInstances } from '../../../cli/commands/instances.ts';
import { formatKeepWarmLine, formatKeepWarmTable } from '../../../cli/print/keep-warm-table.ts';
import { formatEnd, formatPopTable } from '../../../cli/print/pop-table.ts';
import { createProgram } from '../../../cli/program.ts';
import { formatRequests } from '../../../cli/commands/requests.ts';
import { formatSummary } from '../../../cli/commands/summary.ts';
import { formatTable } from '../../../cli/print/text-table.ts';
import { textWidth } from '../../../cli/print/text-width.ts';
import { formatTimingGain, formatTimingSummary } from '../../../cli/print/timing-tables.ts';
import { createFailureDigest } from '../../../core/report/failure-digest.ts';
import type { LaneView } from '../../../core/keep-warm/tally.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { popWith, progressWith } from './progress-fixture.ts';

const WIDTHS = [80, 120] as const;
const POPS = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1', 'GRU3-P1'];
const ID = '0b6a1a0e-6a0a-4d3f-9f0a-1f1f1f1f1f1f';
const cityOf = (pop: string) => popCatalogue().describe(pop).city;

const popRows = POPS.map((pop, index) =>
  popWith({
    pop,
    total_count: 12_000,
    warmed_count: 11_000,
    already_warm_count: 990,
    failed_count: 10,
    failed_reasons: { status_404: 10 },
    verified_count: 11_990,
    download_size: 98_765_432_100,
    ttfb_before_median_ms: 197 + index,
    ttfb_before_p95_ms: 1277,
    ttfb_after_median_ms: 14.4,
    ttfb_after_p95_ms: 69,
  }),
);

function failures() {
  const digest = createFailureDigest();
  const row = (url: string, pop: string, reason: string, notes = '') =>
    digest.add(`${url},${pop},default,failed,${reason},404,,,,,,1,,,,${notes}`);
  for (const pop of POPS) {
    row('https://www.example.com/missing.png', pop, 'status_404');
    row('https://www.example.com/account/private.html', pop, 'not_cached', 'cause=cache-control: no-store');
  }
  for (let n = 0; n < 20; n++) row(`https://www.example.com/video/${n}.ts`, 'GRU3-P1', 'timeout', 'cause=no headers within 30 s');
  return { digest, whereAll: `All failed targets: /tmp/prewarm-failures-${ID}.csv`, showAll: false };
}

const lane = (pop: string, fields: Partial<LaneView> = {}): LaneView =>
  ({
    pop,
    state: 'answering',
    requests: 1440,
    errors: {},
    unsent: {},
    detail: '',
    connect_ms: { median: 101, p95: 222 },
    first_byte_ms: { median: 1204, p95: 2405 },
    new_connection_share: 0.031,
    ...fields,
  }) as LaneView;

const part = (median: number) => ({ median, p95: median * 1.5, max: median * 11.1 });
const timingSummaries = [
  {
    pop: 'HKG62-C1',
    requests: 20,
    failed: 2,
    reasons: { status_404: 1, tls: 1 },
    parts: { dnsMs: part(12), tcpMs: part(103), tlsMs: part(208), waitMs: part(190), firstByteMs: part(515), totalMs: part(530) },
  },
  {
    pop: '',
    requests: 3,
    failed: 0,
    reasons: {},
    parts: { dnsMs: part(1), tcpMs: part(2), tlsMs: null, waitMs: part(4), firstByteMs: part(5), totalMs: part(6) },
  },
];

const survey = (hits: number, medianMs: number): PopSurvey[] =>
  POPS.map((pop) => ({ pop, asks: 48, hits, medianMs, p95Ms: medianMs * 1.2 }));

const request = (fields: object) => ({
  request_id: ID,
  status: 'IN_PROGRESS' as const,
  name: 'spring launch',
  made_by: 'default',
  url_count: 100_000,
  pop_count: 30,
  total_count: 3_000_000,
  failed_count: 12,
  stopped_count: 0,
  percentage_complete: 49,
  created_at: '2026-01-01 12:34:56.000000',
  ...fields,
});

const SCREENS: Readonly<Record<string, (width: number) => string>> = {
  run: (width) =>
    formatEnd(
      progressWith({
        status: 'FINISHED',
        total_count: 48_000,
        download_count: 47_960,
        verified_count: 47_960,
        failed_count: 40,
        near_count: 3,
        chosen_pop_count: 12,
        skipped_pops: ['BJS9-E1', 'ZHY50-E1', 'SHA3-C1', 'SZX51-E1', 'TAO50-C1', 'XIY50-C1', 'CAN50-C1', 'CTU50-C1'],
      }),
      popRows,
      { cityOf, color: false, width, wrap: width, elapsedMs: 71_000, failures: failures() },
    ),
  drill: (width) =>
    `${formatSurvey('Before: what the first viewers would meet', survey(0, 197), width)}\n${formatVerdict(
      {
        before: survey(0, 197),
        after: survey(48, 14),
        fetches: 96,
        urls: 24,
        proof: { cold: true, warmed: true, warm: true, originSpared: true },
      },
      { color: false, wrap: width },
    )}\n`,
  cancel: (wrap) =>
    formatCancelled(
      progressWith({ status: 'STOPPED', total_count: 2400, failed_count: 2400, stopped_count: 2400, total_size: 122_900_000 }),
      wrap,
    ),
  stopped: (wrap) =>
    formatEnd(
      progressWith({
        status: 'STOPPED',
        status_reason: 'cancelled by newcomer',
        total_count: 2400,
        failed_count: 2301,
        stopped_count: 2300,
        warmed_count: 99,
        download_count: 99,
        verified_count: 99,
      }),
      [
        popWith({ pop: 'SIN2-P1', total_count: 1200, warmed_count: 99, failed_count: 1101, failed_reasons: { stopped: 1100, timeout: 1 } }),
        popWith({ pop: 'GRU3-P1', total_count: 1200, failed_count: 1200, failed_reasons: { stopped: 1200 } }),
      ],
      { cityOf, color: false, width: wrap, wrap, elapsedMs: 2500, failures: null },
    ),
  requests: (width) =>
    `${formatRequests([request({}), request({ name: '春の発売'.repeat(8) }), request({ status: 'STOPPED', failed_count: 4000, stopped_count: 4000, percentage_complete: 0 })], width)}\n`,
  summary: (wrap) =>
    formatSummary(
      {
        request_id: ID,
        name: 'spring launch',
        status: 'STOPPED',
        failure_pops: POPS,
        failure_urls: Array.from({ length: 1000 }, (_, index) => `https://www.example.com/${index}`),
        failure_pop_urls_report: `http://127.0.0.1:8787/reports/${ID}?expires=1&token=t`,
        by_reason: { status_404: 12, stopped: 4000 },
      },
      { showAll: false, wrap },
    ),
  timing: (width) =>
    `${formatTimingSummary(timingSummaries, width)}\n${formatTimingGain(
      [{ pop: 'HKG62-C1', firstByteBefore: 1515, firstByteAfter: 515, waitBefore: 1190, waitAfter: 190 }],
      width,
    )}`,
  'keep-warm': (width) =>
    formatKeepWarmTable(
      [
        lane('HKG62-C1'),
        lane('FOO1-P1', {
          state: 'pop_unresolvable',
          requests: 0,
          connect_ms: null,
          first_byte_ms: null,
          new_connection_share: null,
          unsent: { dns: 60 },
          detail: 'd111111abcdef8.cloudfront.net.FOO1-P1.cloudfront.net does not exist',
        }),
      ],
      { cityOf, color: false, elapsedMs: 3_600_000, width },
    ),
};

describe.each(WIDTHS)('at %i columns', (width) => {
  test.each(Object.entries(SCREENS))('the screen of %s fits and matches the reviewed one', async (name, screen) => {
    const text = screen(width);
    // A URL or a path that is longer than a line stays whole, so that it can be copied.
    const tooLong = text.split('\n').filter((line) => textWidth(line) > width && /\s/.test(line.trim()));
    expect(tooLong).toEqual([]);
    await expect(text).toMatchFileSnapshot(`screens/${name}-${width}.txt`);
  });
});

describe('help', () => {
  const { COLUMNS } = process.env;
  afterEach(() => {
    if (COLUMNS === undefined) delete process.env['COLUMNS'];
    else process.env['COLUMNS'] = COLUMNS;
  });

  function helps(width: number): ReadonlyMap<string, string> {
    process.env['COLUMNS'] = String(width);
    const program = createProgram(() => {});
    const texts = new Map<string, string>();
    for (const command of [program, ...program.commands]) {
      let text = '';
      command.configureOutput({
        writeOut: (part) => {
          text += part;
        },
      });
      command.outputHelp();
      texts.set(command.name(), text);
    }
    return texts;
  }

  test.each(WIDTHS)('the help of every command fits %i columns and breaks no word', (width) => {
    const wide = helps(120);
    const words = new Set([...wide.values()].flatMap((text) => text.split(/\s+/)));
    for (const [name, text] of helps(width)) {
      const lines = text.split('\n');
      expect({ name, tooLong: lines.filter((line) => line.length > width) }).toEqual({ name, tooLong: [] });
      expect(text.split(/\s+/).filter((word) => !words.has(word) && word !== '\\')).toEqual([]);
    }
  });

  test('the help breaks a long command into lines that a shell takes as one, above its description', () => {
    const line = "  $ prewarm run urls.csv --countries japan,DE --header 'Accept-Encoding: gzip, br' --timeout 30   warms two countries";
    expect(formatHelpText(line, 60)).toBe(
      [
        '  $ prewarm run urls.csv --countries japan,DE \\',
        "      --header 'Accept-Encoding: gzip, br' --timeout 30",
        '      warms two countries',
      ].join('\n'),
    );
    expect(formatHelpText(line, 120)).toBe(line);
  });
});

test('a table leaves out its least important columns and empty columns, but keeps all that it needs', () => {
  const columns = [
    { head: 'POP', cells: ['SIN2-P1'], isText: true },
    { head: 'City', cells: ['Singapore'], isText: true, rank: 2 },
    { head: 'Bytes', cells: ['1.2 MB'], rank: 1 },
    { head: 'Nothing', cells: [''], rank: 1 },
  ];
  const heads = (width: number) => formatTable(columns, width).split('\n')[0]?.split(/ +/);
  expect(heads(80)).toEqual(['POP', 'City', 'Bytes']);
  expect(heads(20)).toEqual(['POP', 'Bytes']);
  expect(heads(3)).toEqual(['POP']);
});

test('a table explains times only if it shows them', () => {
  const look = { cityOf, color: false, wrap: null };
  expect(formatPopTable(popRows, { ...look, width: 120 })).toContain('First ask: ');
  expect(formatPopTable([popWith({ total_count: 4, failed_count: 4 })], { ...look, width: 120 })).not.toContain('First ask');
  expect(formatPopTable(popRows, { ...look, width: 40 })).not.toContain('Last check');
});

test('a narrow table keeps the fullest column of warm targets beside the times', () => {
  const headsOf = (warmed: number, already: number) => {
    const pop = popWith({ ...popRows[0], warmed_count: warmed, already_warm_count: already });
    return formatPopTable([pop], { cityOf, color: false, wrap: null, width: 64 }).split('\n')[0]?.split(/ {2,}/);
  };
  expect(headsOf(435, 1165)).toEqual(['POP', 'Targets', 'Already', 'Failed', 'First ask, ms', 'Last check, ms']);
  expect(headsOf(1165, 435)).toEqual(['POP', 'Targets', 'Warmed', 'Failed', 'First ask, ms', 'Last check, ms']);
});

test('a coloured cell takes the room of its text alone', () => {
  const red = { cityOf, color: true, wrap: null };
  for (const width of [60, 80, 120]) {
    const plain = formatPopTable(popRows, { ...red, color: false, width });
    expect(stripVTControlCharacters(formatPopTable(popRows, { ...red, width }))).toBe(plain);
  }
});

test('a table keeps to its width and its columns in line where a name has wide characters', () => {
  const columns = [
    { head: 'Name', cells: ['春の発売', 'spring'], isText: true },
    { head: 'URLs', cells: ['1', '2,000'] },
    { head: 'POPs', cells: ['3', '4'], rank: 1 },
  ];
  const lines = (width: number) => formatTable(columns, width).split('\n');
  expect(lines(21).map(textWidth)).toEqual([21, 21, 21, 21]);
  // In as many letters, but fewer columns, there is no room for the last one.
  expect(lines(20)[0]).toBe('Name       URLs');
});

test('a POP table separates targets that were not tried from those that failed', () => {
  const pop = popWith({ pop: 'SIN2-P1', total_count: 9, failed_count: 8, failed_reasons: { stopped: 6, timeout: 2 }, warmed_count: 1 });
  const [head, , row] = formatPopTable([pop], { cityOf, color: false, wrap: null, width: 120 }).split('\n');
  expect(head).toMatch(/Failed {2}Not tried/);
  expect(row?.split(/ {2,}/).slice(2)).toEqual(['9', '1', '0', '2', '6', expect.any(String), expect.any(String)]);
  expect(formatPopTable(popRows, { cityOf, color: false, wrap: null, width: 120 })).not.toContain('Not tried');
});

test('the log of keep-warm uses the singular for one request and one error', () => {
  expect(formatKeepWarmLine([lane('SIN2-P1', { requests: 1, errors: { timeout: 1 } })], 60_000)).toContain('1 request, 1 error,');
});

test('the description of the fleet counts agents and shows what else the API reports', () => {
  expect(describeInstances({ desiredcapacity: 1 })).toBe('1 agent wanted');
  expect(describeInstances({ desiredcapacity: 2, in_service: 2, pending: 0, on_demand: 0, maximum: 2, last_failed_activity: null })).toBe(
    '2 agents wanted (2 running, at most 2)',
  );
  const failed = { at: '2026-11-21 15:01:00.000000', message: 'Could not launch Spot Instances.' };
  expect(
    describeInstances({ desiredcapacity: 10, in_service: 2, pending: 1, on_demand: 7, maximum: 100, last_failed_activity: failed }),
  ).toBe(
    '10 agents wanted (2 running, 1 starting, 7 on demand, at most 100)\nLast failed activity of the group, 2026-11-21 15:01:00.000000 UTC: Could not launch Spot Instances.',
  );
});
