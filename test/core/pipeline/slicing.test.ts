import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFailedRow, formatSizedRow, parseSizedLine, readLines } from '../../../core/work/sized-list.ts';
import type { ListPart } from '../../../core/pipeline/list-parts.ts';
import { chooseSliceLimits, sliceList } from '../../../core/pipeline/slicing.ts';
import type { Slice } from '../../../core/work/task.ts';

const encoder = new TextEncoder();

/** Chunks of `size` bytes, so that lines are cut anywhere. */
async function* inChunks(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const partsOf = (texts: readonly string[], size: number): ListPart[] => texts.map((text, part) => ({ part, chunks: inChunks(text, size) }));

async function linesOf(text: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of readLines(inChunks(text, 1000))) lines.push(line);
  return lines;
}

const rows = fc.array(fc.record({ name: fc.stringMatching(/^[a-z,]{1,12}$/), bytes: fc.integer({ min: -1, max: 400 }) }), {
  maxLength: 20,
});

test('every row is in exactly one slice, in order, within one part and the limits, the same each time', async () => {
  const limits = fc.record({ sliceRows: fc.integer({ min: 1, max: 6 }), sliceBytes: fc.integer({ min: 1, max: 1000 }) });
  const property = fc.asyncProperty(
    fc.array(rows, { maxLength: 4 }),
    limits,
    fc.integer({ min: 1, max: 50 }),
    async (parts, limits, size) => {
      const texts = parts.map((part) => part.map(({ name, bytes }) => formatSizedRow(`https://h/${name}`, bytes)).join(''));
      const slices = await Array.fromAsync(sliceList('sized', partsOf(texts, size), limits));
      expect(slices).toEqual(await Array.fromAsync(sliceList('sized', partsOf(texts, 4096), limits)));
      expect(slices.map(({ number }) => number)).toEqual(slices.map((_, at) => at));
      for (const [part, text] of texts.entries()) {
        const own = slices.filter((slice) => slice.part === part);
        expect(own.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
        expect(own.map(({ start }) => start)).toEqual([0, ...own.map(({ end }) => end)].slice(0, own.length));
        for (const slice of own) await expectWithin(slice, text, limits);
      }
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

async function expectWithin(slice: Slice, text: string, limits: { sliceRows: number; sliceBytes: number }): Promise<void> {
  const lines = await linesOf(text.slice(slice.start, slice.end));
  expect(lines).toHaveLength(slice.rows);
  expect(slice.rows).toBeLessThanOrEqual(limits.sliceRows);
  const bytes = lines.reduce((sum, line) => sum + Math.max(0, parseSizedLine(line).bytes), 0);
  expect(slice.rows === 1 || bytes <= limits.sliceBytes).toBe(true);
}

test('a slice is full before the next begins', async () => {
  const text = Array.from({ length: 10 }, (_, n) => formatSizedRow(`https://h/${n}`, 10)).join('');
  const byRows = await Array.fromAsync(sliceList('sized', partsOf([text], 7), { sliceRows: 4, sliceBytes: 1000 }));
  expect(byRows.map((slice) => slice.rows)).toEqual([4, 4, 2]);
  const byBytes = await Array.fromAsync(sliceList('sized', partsOf([text], 7), { sliceRows: 100, sliceBytes: 30 }));
  expect(byBytes.map((slice) => slice.rows)).toEqual([3, 3, 3, 1]);
});

test('rows of a failed list count no bytes', async () => {
  const text = ['a', 'b', 'c'].map((name) => formatFailedRow(`https://h/${name}`, 'too_large')).join('');
  const slices = await Array.fromAsync(sliceList('failed', partsOf([text], 9), { sliceRows: 2, sliceBytes: 1 }));
  expect(slices.map(({ list, number, rows }) => [list, number, rows])).toEqual([
    ['failed', 0, 2],
    ['failed', 1, 1],
  ]);
});

test('limits stay within a task, and give every agent about four tasks where there are rows for it', () => {
  const counts = fc.record({
    rows: fc.integer({ min: 1, max: 2_000_000 }),
    bytes: fc.integer({ min: 0, max: 2 ** 50 }),
    variants: fc.integer({ min: 1, max: 600 }),
    pops: fc.integer({ min: 1, max: 600 }),
    agents: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(counts, (list) => {
      const { sliceRows, sliceBytes } = chooseSliceLimits(list);
      expect(sliceRows).toBeGreaterThanOrEqual(1);
      expect(sliceBytes).toBeGreaterThanOrEqual(1);
      expect(sliceRows === 1 || sliceRows * list.variants <= 500).toBe(true);
      expect(sliceBytes * list.variants).toBeLessThanOrEqual(256 * 1024 * 1024);
      const tasks = Math.ceil(list.rows / sliceRows) * list.pops;
      expect(tasks).toBeGreaterThanOrEqual(Math.min(4 * list.agents, list.rows * list.pops));
    }),
  );
});
