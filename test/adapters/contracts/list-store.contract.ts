import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../../core/keys.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';

export interface ListStoreUnderTest {
  readonly lists: ListStore;
  readonly dispose?: () => void | Promise<void>;
}

async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

async function* rowsOneByOne(rows: number) {
  for (let row = 0; row < rows; row++) yield `https://example.com/${row},\n`;
}

async function* failingAfterOneRow() {
  yield 'https://example.com/lost\n';
  throw new Error('the source broke');
}

/** What every list store does, whatever keeps its objects. */
export function describeListStore(name: string, create: () => ListStoreUnderTest | Promise<ListStoreUnderTest>): void {
  describe(`${name} as a list store`, () => {
    const key = keys.urls('r1');
    const resultKey = keys.result('r1', 'FRA56-P4#0#12');
    let under: ListStoreUnderTest;
    let lists: ListStore;

    beforeEach(async () => {
      under = await create();
      lists = under.lists;
    });
    afterEach(() => under.dispose?.());

    it('a list store returns what was put, row by row or at once, and its length', async () => {
      const expected = await readText(
        (async function* () {
          for await (const row of rowsOneByOne(5000)) yield Buffer.from(row);
        })(),
      );
      expect(await lists.put(key, rowsOneByOne(5000))).toBe(expected.length);
      expect(await readText(lists.read(key))).toBe(expected);
      expect(await lists.put(key, ['ü\n'])).toBe(3);
      expect(await readText(lists.read(key))).toBe('ü\n');
    });

    it('a list store reads exactly the bytes asked for', async () => {
      await lists.put(key, ['0123456789']);
      expect(await readText(lists.read(key, { start: 3, end: 7 }))).toBe('3456');
      expect(await readText(lists.read(key, { start: 8 }))).toBe('89');
      expect(await readText(lists.read(key, { start: 8, end: 99 }))).toBe('89');
      expect(await readText(lists.read(key, { start: 4, end: 4 }))).toBe('');
      expect(await readText(lists.read(key, { start: 0, end: 10 }))).toBe('0123456789');
    });

    it('a list store keeps the former object when a put breaks half way', async () => {
      await lists.put(key, ['before\n']);
      await expect(lists.put(key, failingAfterOneRow())).rejects.toThrow('the source broke');
      expect(await readText(lists.read(key))).toBe('before\n');
    });

    it('a list store never shows half of an object that is being replaced', async () => {
      const first = 'a'.repeat(300_000);
      const second = 'b'.repeat(300_000);
      await lists.put(key, [first]);
      const [seen] = await Promise.all([
        Promise.all(Array.from({ length: 10 }, () => readText(lists.read(key)))),
        lists.put(key, [second]),
      ]);
      for (const text of seen) expect(text === first || text === second).toBe(true);
    });

    it('a list store says not_found for a missing object', async () => {
      await expect(readText(lists.read(key))).rejects.toMatchObject({ name: 'PrewarmError', code: 'not_found' });
      await expect(readText(lists.readResult(resultKey))).rejects.toMatchObject({ code: 'not_found' });
      expect(await lists.resultMetadata(resultKey)).toBeNull();
    });

    it('a list store keeps the first result and answers later writers with its metadata', async () => {
      const metadata = { counters: 'warmed:a edge_bytes:zz', note: 'line\nend, "quotes" and ü' };
      expect(await lists.putResult(resultKey, 'first\n', metadata)).toEqual({ existing: null });
      expect(await lists.putResult(resultKey, 'second\n', { counters: 'failed:1' })).toEqual({ existing: metadata });
      expect(await lists.resultMetadata(resultKey)).toEqual(metadata);
      expect(await readText(lists.readResult(resultKey))).toBe('first\n');
    });

    it('a list store lets exactly one of many simultaneous writers of a result be the first', async () => {
      const writers = Array.from({ length: 12 }, (_, writer) => String(writer));
      const answers = await Promise.all(writers.map((writer) => lists.putResult(resultKey, `${writer}\n`, { writer })));
      const winners = writers.filter((_, index) => answers[index]?.existing === null);
      expect(winners).toHaveLength(1);
      const others = answers.map(({ existing }) => existing).filter((existing) => existing !== null);
      expect(others).toEqual(others.map(() => ({ writer: winners[0] })));
      expect(await readText(lists.readResult(resultKey))).toBe(`${winners[0]}\n`);
    });

    it('a list store keeps an empty result and one with metadata of 2 KB', async () => {
      const metadata = { counters: 'x'.repeat(2000) };
      await lists.putResult(resultKey, '', metadata);
      expect(await lists.resultMetadata(resultKey)).toEqual(metadata);
      expect(await readText(lists.readResult(resultKey))).toBe('');
    });

    it('a list store lets a reader stop early', async () => {
      await lists.put(key, ['x'.repeat(1_000_000)]);
      for await (const chunk of lists.read(key)) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect((await readText(lists.read(key))).length).toBe(1_000_000);
    });
  });
}
