import { describe, expect, test } from 'vitest';
import { createFailureDigest } from '../../../core/report/failure-digest.ts';
import type { Reason } from '../../../core/work/outcome.ts';
import { failedRow } from '../../../core/pipeline/record-failures.ts';
import { causeNote, formatResultRow, REPORT_HEADER, readFailedRow } from '../../../core/report/result-row.ts';

const rowOf = (url: string, pop: string, reason: Reason, cause?: string) =>
  formatResultRow(failedRow({ url, pop, reason, variant: 'default', ...(cause === undefined ? {} : { cause }) }, 0));

describe('a failed row', () => {
  test.each(['plain', 'with, commas', 'with "quotes", and commas', '=formula'])('a failed row is read as it was written: %s', (cause) => {
    const url = 'https://www.example.com/a,b?c=d';
    expect(readFailedRow(rowOf(url, 'SIN2-P1', 'tls', cause))).toEqual({ url, pop: 'SIN2-P1', reason: 'tls', cause });
  });

  test('a failed row has no cause where its notes have none', () => {
    const row = formatResultRow({
      ...failedRow({ url: 'https://a.example/', pop: 'SIN2-P1', reason: 'timeout', variant: 'x' }, 0),
      notes: 'near',
    });
    expect(readFailedRow(row)?.cause).toBe('');
  });

  test('the row of a warm target is no failed row, nor is the header', () => {
    const warm = {
      ...failedRow({ url: 'https://a.example/', pop: 'SIN2-P1', reason: 'tls', variant: 'x' }, 0),
      outcome: 'warmed' as const,
    };
    expect(readFailedRow(formatResultRow(warm))).toBeNull();
    expect(readFailedRow(REPORT_HEADER)).toBeNull();
  });
});

test('a cause is one note of at most 200 printable characters', () => {
  expect(causeNote('')).toBe('');
  expect(causeNote('a;b\r\nc\u001b[31m')).toBe(String.raw`cause=a,b,c\x1b[31m`);
  expect(causeNote('x'.repeat(500))).toHaveLength('cause='.length + 200);
});

describe('a digest of failures', () => {
  test('a digest of failures counts targets by reason and URL, most first, with their POPs and the first cause', () => {
    const digest = createFailureDigest();
    digest.add(REPORT_HEADER.trimEnd());
    for (const pop of ['SIN2-P1', 'FRA56-P4']) {
      digest.add(rowOf('https://a.example/once', 'SIN2-P1', pop === 'SIN2-P1' ? 'tls' : 'timeout'));
      digest.add(rowOf('https://a.example/twice', pop, 'status_404', pop === 'SIN2-P1' ? '' : 'told later'));
    }
    expect(digest.groups()[0]).toEqual({
      reason: 'status_404',
      url: 'https://a.example/twice',
      pops: ['SIN2-P1', 'FRA56-P4'],
      targets: 2,
      cause: 'told later',
    });
    expect(
      digest
        .groups()
        .slice(1)
        .map(({ reason, targets }) => [reason, targets]),
    ).toEqual([
      ['tls', 1],
      ['timeout', 1],
    ]);
    const pops = [
      { pop: 'SIN2-P1', urls: 1, cause: '' },
      { pop: 'FRA56-P4', urls: 1, cause: 'told later' },
    ];
    expect(digest.reasons()[0]).toEqual({ reason: 'status_404', targets: 2, urls: 1, isWhole: true, pops });
  });

  test('a digest of failures puts untried targets behind tried ones', () => {
    const digest = createFailureDigest();
    for (let n = 0; n < 5; n++) digest.add(rowOf('https://a.example/s', `SIN${n}-P1`, 'stopped'));
    digest.add(rowOf('https://a.example/t', 'SIN2-P1', 'tls'));
    expect(digest.groups().map(({ reason }) => reason)).toEqual(['tls', 'stopped']);
  });

  test('a digest of failures keeps a limited number of URLs and counts all targets of the others', () => {
    const digest = createFailureDigest(100);
    for (let n = 0; n < 1000; n++) digest.add(rowOf(`https://a.example/${n}`, 'SIN2-P1', 'tls'));
    expect(digest.groups()).toHaveLength(100);
    expect(digest.reasons()).toEqual([
      { reason: 'tls', targets: 1000, urls: 100, isWhole: false, pops: [{ pop: 'SIN2-P1', urls: 100, cause: '' }] },
    ]);
  });

  test('a digest takes hundreds of thousands of failed targets within seconds and tens of megabytes', () => {
    const digest = createFailureDigest();
    const tail = rowOf('', 'SIN2-P1', 'timeout', 'no headers within 30 s');
    const before = process.memoryUsage().heapUsed;
    const startedAt = performance.now();
    for (let n = 0; n < 300_000; n++) digest.add(`https://www.example.com/video/${n}.ts${tail}`);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
    expect(digest.reasons()[0]).toMatchObject({ targets: 300_000, isWhole: false });
  });
});
