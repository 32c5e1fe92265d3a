import * as fc from 'fast-check';
import { parse } from 'csv-parse/sync';
import { describe, expect, it, test } from 'vitest';
import { addNote } from '../../../core/report/cause.ts';
import { failedRow } from '../../../core/pipeline/record-failures.ts';
import { causeNote, formatResultRow, readFailedUrl, REPORT_COLUMNS } from '../../../core/report/result-row.ts';
import type { Answer } from '../../../core/ports/downloader.ts';
import { setUp, SMALL } from './warm-fixture.ts';

describe('the cause in a failed target’s notes', () => {
  it.each<[string, Partial<Answer>, string]>([
    ['a refused connection', { error: 'connection', cause: 'ECONNREFUSED 192.0.2.1:443' }, 'ECONNREFUSED 192.0.2.1:443'],
    ['a redirect', { status: 302, cause: 'location: /page/' }, 'location: /page/'],
    ['another POP', { servedBy: 'FRA56-P4' }, 'x-amz-cf-pop: FRA56-P4'],
    ['no POP', { servedBy: '' }, 'no x-amz-cf-pop'],
    ['a challenge', { status: 202, wafAction: 'challenge' }, 'x-amzn-waf-action: challenge'],
    ['an error page', { xCache: 'Error from cloudfront' }, 'x-cache: Error from cloudfront'],
    ['a text of several notes and lines', { error: 'tls', cause: 'a;b\r\nc' }, 'a,b,c'],
  ])('the cause in a failed target’s notes names %s', async (_what, fault, cause) => {
    const { context, warm } = setUp({ fault: () => fault });
    const target = await warm();
    expect(target.outcome).toBe('failed');
    expect(target.notes(context.addresses, true)).toBe(`cause=${cause}`);
  });

  it.each([
    ['its headers, where they forbid storing', 'no-store', 'cache-control: no-store'],
    ['that it never became a hit, where they do not', '', 'never a hit'],
  ])('the cause in a failed target’s notes says why %s was not cached', async (_what, cacheControl, cause) => {
    const { warm } = setUp({ object: { bytes: SMALL, neverStored: true, cacheControl } });
    const target = await warm();
    expect([target.reason, target.notes([], true)]).toEqual(['not_cached', `cause=${cause}`]);
  });

  it('the notes have no cause where a plain status says it all, and where a target is warm in the end', async () => {
    const missing = await setUp({ fault: () => ({ status: 404 }) }).warm();
    expect(missing.notes([], true)).toBe('');
    const late = await setUp({ fault: (_ask, index) => (index === 0 ? { error: 'connection', cause: 'ECONNREFUSED' } : null) }).warm();
    expect([late.outcome, late.notes([], true)]).toEqual(['warmed', 'verified']);
  });
});

test('a cause is one line of at most 200 characters, whatever it holds, and survives the CSV', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 500 }), fc.string({ unit: 'grapheme', maxLength: 500 })), (text) => {
      const note = causeNote(text);
      expect(note.length).toBeLessThanOrEqual('cause='.length + 200);
      expect(note).not.toMatch(/[;\p{Cc}\p{Zl}\p{Zp}]/u);
      expect(note.isWellFormed()).toBe(true);
      const target = { url: 'https://www.example.com/a', pop: 'SIN2-P1', variant: 'default', reason: 'tls' } as const;
      const row = formatResultRow({ ...failedRow(target, 0), notes: note });
      const [fields = []] = parse(row);
      expect(fields).toHaveLength(REPORT_COLUMNS.length);
      expect(fields.at(-1)).toBe(note);
      expect(readFailedUrl(row)).toBe('https://www.example.com/a');
    }),
  );
});

test.each([
  ['', 'after_end'],
  ['verified', 'verified;after_end'],
  ['cause=never a hit', 'after_end;cause=never a hit'],
  ['near;cause=a,b', 'near;after_end;cause=a,b'],
])('a note is added to %j before its cause', (notes, expected) => {
  expect(addNote(notes, 'after_end')).toBe(expected);
});
