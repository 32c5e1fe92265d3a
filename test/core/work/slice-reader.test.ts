import { describe, expect, it } from 'vitest';
import { createFileListStore } from '../../../adapters/embedded/file-list-store.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { PrewarmError } from '../../../core/errors.ts';
import { keys } from '../../../core/keys.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import { formatFailedRow, formatSizedRow, type SizedRow } from '../../../core/work/sized-list.ts';
import type { Slice, TaskMessage } from '../../../core/work/task.ts';
import { createSliceReader } from '../../../core/work/slice-reader.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

const MIB = 1 << 20;
const ROWS: readonly SizedRow[] = [
  { url: 'https://www.example.com/a', bytes: 1000 },
  { url: 'https://www.example.com/b,c?d=e,f', bytes: 0 },
  { url: 'https://www.example.com/unknown', bytes: -1 },
  { url: 'https://www.example.com/last', bytes: 5_000_000_000 },
];
const LINES = ROWS.map(({ url, bytes }) => formatSizedRow(url, bytes));
/** Where the nth line begins: after all lines before it. */
function offset(line: number): number {
  return LINES.slice(0, line).join('').length;
}

/** Bytes of a row with the longest URL that a list may hold. */
const LONG = 8192;

function longRows(bytes: number): string[] {
  const url = 'https://www.example.com/'.padEnd(LONG - ',1\n'.length, 'x');
  return Array.from({ length: bytes / LONG }, () => formatSizedRow(url, 1));
}

function longTask(part: number, bytes: number): TaskMessage {
  return taskOf('SIN2-P1', { part, end: bytes, rows: bytes / LONG });
}

function taskOf(pop: string, slice: Partial<Slice>): TaskMessage {
  const whole: Slice = { list: 'sized', number: 0, part: 0, start: 0, end: offset(4), rows: 4, ...slice };
  return { requestId: 'r', taskId: `${pop}#0#${whole.number}`, pop, addresses: [], wave: 0, slice: whole };
}

/** A reader of real files that hold the rows above in part 0, and every read of a file. */
async function openReader() {
  const lists = createFileListStore(temporaryDir(), createHolder());
  await lists.put(keys.part('r', 'sized', 0), LINES);
  const reads: string[] = [];
  const watched: Pick<ListStore, 'read'> = {
    read(key, range) {
      reads.push(`${key} ${range?.start}`);
      return lists.read(key, range);
    },
  };
  return { lists, reads, reader: createSliceReader(watched) };
}

describe('the reader of slices', () => {
  it('the slice reader reads the rows of its slice and no others, with commas in URLs and unknown sizes', async () => {
    const { reader } = await openReader();
    const task = taskOf('SIN2-P1', { start: offset(1), end: offset(3), rows: 2 });
    expect(await reader.read(task)).toEqual(ROWS.slice(1, 3));
    expect(await reader.read(taskOf('SIN2-P1', {}))).toEqual(ROWS);
  });

  it('the slice reader reads a slice once for all POPs that work it, also when they ask at the same time', async () => {
    const { reader, reads } = await openReader();
    const [one, two] = await Promise.all([reader.read(taskOf('SIN2-P1', {})), reader.read(taskOf('FRA56-P4', {}))]);
    const three = await reader.read(taskOf('GRU3-P1', {}));
    expect(one).toEqual(ROWS);
    expect([two, three].every((rows) => rows === one)).toBe(true);
    expect(reads).toHaveLength(1);
  });

  it('the slice reader keeps slices of other parts, lists and requests apart', async () => {
    const { lists, reader } = await openReader();
    const row = (url: string) => formatSizedRow(url, 1);
    await lists.put(keys.part('r', 'sized', 1), [row('https://www.example.com/part-1')]);
    await lists.put(keys.part('r', 'failed', 0), [formatFailedRow('https://www.example.com/failed', '7')]);
    await lists.put(keys.part('other', 'sized', 0), [row('https://www.example.com/other')]);
    const urlsOf = async (task: TaskMessage) => (await reader.read(task)).map(({ url }) => url);
    const first = { end: 200, rows: 1 };
    expect(await urlsOf(taskOf('SIN2-P1', { ...first, end: offset(1) }))).toEqual(['https://www.example.com/a']);
    expect(await urlsOf(taskOf('SIN2-P1', { ...first, part: 1 }))).toEqual(['https://www.example.com/part-1']);
    expect(await urlsOf(taskOf('SIN2-P1', { ...first, list: 'failed' }))).toEqual(['https://www.example.com/failed']);
    expect(await urlsOf({ ...taskOf('SIN2-P1', first), requestId: 'other' })).toEqual(['https://www.example.com/other']);
  });

  it('the slice reader refuses a slice that holds another number of rows than its task says, and names both', async () => {
    const { reader } = await openReader();
    const task = taskOf('SIN2-P1', { rows: 5 });
    await expect(reader.read(task)).rejects.toThrow('requests/r/sized/part-00000.csv holds 4 rows where task SIN2-P1#0#0 has 5');
  });

  it('the slice reader remembers no failed read, so that the next task of the slice reads it', async () => {
    const { lists, reader, reads } = await openReader();
    const task = taskOf('SIN2-P1', { part: 2, end: offset(1), rows: 1 });
    await expect(reader.read(task)).rejects.toThrow(PrewarmError);
    await lists.put(keys.part('r', 'sized', 2), LINES);
    expect(await reader.read(task)).toEqual(ROWS.slice(0, 1));
    expect(reads).toHaveLength(2);
  });

  it('the slice reader keeps eight MiB of slices at most, and drops the least recently read one', async () => {
    const { lists, reader, reads } = await openReader();
    for (const part of [3, 4, 5]) await lists.put(keys.part('r', 'sized', part), longRows(3 * MIB));
    const read = (part: number) => reader.read(longTask(part, 3 * MIB));
    await read(3);
    await read(4);
    await read(3);
    expect(reads).toHaveLength(2);
    await read(5);
    await read(3);
    expect(reads).toHaveLength(3);
    await read(4);
    expect(reads).toHaveLength(4);
  });

  it('the slice reader reads a slice of more than eight MiB, and does not keep it', async () => {
    const { lists, reader, reads } = await openReader();
    await lists.put(keys.part('r', 'sized', 6), longRows(9 * MIB));
    expect(await reader.read(longTask(6, 9 * MIB))).toHaveLength((9 * MIB) / LONG);
    await reader.read(longTask(6, 9 * MIB));
    expect(reads).toHaveLength(2);
  });
});
