import { stringify } from 'csv-stringify/sync';
import { parse } from 'csv-parse/sync';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { csvField, formatResultRow, REPORT_COLUMNS, type ResultRow } from '../../../core/report/result-row.ts';
import { countersFromMetadata, countersToMetadata } from '../../../core/work/record-task.ts';
import type { Counters } from '../../../core/work/counters.ts';
import { bucketOf, quantile } from '../../../core/report/time-histogram.ts';

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', '"', ',', "'", 'a', ' ', 'é') }),
);

it('the row writer writes a field as csv-stringify does with formulas escaped', () => {
  fc.assert(
    fc.property(text, (value) => {
      const theirs = stringify([[value, 'x']], { escape_formulas: true, quoted_match: /[\r\n]/ });
      expect(`${csvField(value)},x\n`).toBe(theirs);
    }),
  );
});

it('the row writer writes rows that read back with the columns of the design, and no field that a spreadsheet runs', () => {
  fc.assert(
    fc.property(text, text, (url, header) => {
      const row: ResultRow = {
        url,
        pop: 'SIN2-P1',
        variant: 'default',
        outcome: 'failed',
        reason: 'status_404',
        status: 404,
        xCacheFirst: header,
        xCacheLast: '',
        servedBy: header,
        address: '192.0.2.1:443',
        bytes: -1,
        attempts: 1,
        ttfbMs: 1.23456,
        totalMs: -1,
        finishedAt: 0,
        notes: '',
      };
      const [fields = []] = parse(formatResultRow(row));
      expect(fields).toHaveLength(REPORT_COLUMNS.length);
      expect(fields[0]).toBe(/^[=+\-@\t\r]/.test(url) ? `'${url}` : url);
      expect(fields.filter((field) => /^[=+\-@\t\r]/.test(field))).toEqual([]);
      expect(fields.slice(10, 15)).toEqual(['', '1', '1.235', '', '1970-01-01 00:00:00.000000']);
    }),
  );
});

it('the counters pass through metadata unchanged, within the 2 KB of S3 for a task of any shape', () => {
  const counters: Record<string, number> = {
    warmed: 480,
    failed: 20,
    verified: 480,
    edge_bytes: 2 ** 48,
    done_bytes: 2 ** 47,
    attempts: 4000,
  };
  for (const code of ['404', '403', '500', '502', '503', '504', '429']) counters[`reason.status_${code}`] = 3;
  for (let ms = 1; ms < 30_000; ms *= 1.1) {
    counters[`first.${bucketOf(ms)}`] = 7;
    counters[`last.${bucketOf(ms)}`] = 7;
  }
  const metadata = countersToMetadata(counters as Counters);
  expect(countersFromMetadata(metadata)).toEqual(counters);
  expect(JSON.stringify(metadata).length).toBeLessThan(2048);
});

it.each([
  { times: 'spread from 1 to 1,000 ms', from: 1, step: 1, within: 0.01 },
  { times: 'that all lie within one bucket', from: 200, step: 0.01, within: 0.09 },
])('the histogram gives quantiles of times $times within $within of the true ones', ({ from, step, within }) => {
  const times = Array.from({ length: 1000 }, (_, index) => from + step * index);
  const counters: Record<string, number> = {};
  for (const ms of times) counters[`first.${bucketOf(ms)}`] = (counters[`first.${bucketOf(ms)}`] ?? 0) + 1;
  for (const share of [0.5, 0.95]) {
    const exact = from + step * share * 1000;
    expect(Math.abs((quantile(counters, 'first', share) ?? 0) / exact - 1)).toBeLessThan(within);
  }
  expect(quantile(counters, 'last', 0.5)).toBeNull();
});

it('the metadata hold the largest set of first-byte times there can be within the 2 KB of S3', () => {
  const counters: Record<string, number> = {
    warmed: 500,
    verified: 500,
    done_bytes: 2 ** 48,
    edge_bytes: 2 ** 49,
    attempts: 4000,
    near: 500,
  };
  // 500 targets whose times fill every bucket.
  for (let ms = 0.1; ms < 200_000; ms *= 1.01) {
    counters[`first.${bucketOf(ms)}`] = 4;
    counters[`last.${bucketOf(ms)}`] = 4;
  }
  expect(Object.keys(counters)).toHaveLength(6 + 2 * 161);
  expect(JSON.stringify(countersToMetadata(counters as Counters)).length).toBeLessThan(2048);
});
