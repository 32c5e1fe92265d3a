import { parseSizedLine, readLines } from '../work/sized-list.ts';
import { type ListPart, listParts } from './list-parts.ts';
import type { Slice } from '../work/task.ts';
import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request/request.ts';

/** A task is at most this many targets: results and messages of one task stay small, and a lost try costs little. */
const MAX_SLICE_TARGETS = 500;
const MAX_SLICE_BYTES = 256 * 1024 * 1024;
/** Smaller slices than this spread nothing: a connection moves as much in a fraction of a second. */
const MIN_SLICE_BYTES = 16 * 1024 * 1024;
/** So that agents that are done early find more, and none is left without. */
const TASKS_PER_AGENT = 4;

/** Upper limits of a slice, in rows of the list and in expected bytes of one variant of each. */
export interface SliceLimits {
  readonly sliceRows: number;
  readonly sliceBytes: number;
}

/** Limits under which `rows` x `pops` spread over every agent, where there are enough rows for it. */
export function chooseSliceLimits(list: {
  readonly rows: number;
  /** Expected bytes of all rows, one variant each. */
  readonly bytes: number;
  readonly variants: number;
  readonly pops: number;
  readonly agents: number;
}): SliceLimits {
  const wanted = Math.max(1, Math.ceil((TASKS_PER_AGENT * list.agents) / Math.max(1, list.pops)));
  const mostRows = Math.max(1, Math.floor(MAX_SLICE_TARGETS / list.variants));
  const mostBytes = Math.max(1, Math.floor(MAX_SLICE_BYTES / list.variants));
  const leastBytes = Math.min(mostBytes, MIN_SLICE_BYTES);
  return {
    sliceRows: Math.min(mostRows, Math.max(1, Math.floor(list.rows / wanted))),
    sliceBytes: Math.min(mostBytes, Math.max(leastBytes, Math.ceil(list.bytes / wanted))),
  };
}

/**
 * Cuts a list into slices: consecutive rows of one part, every row in exactly one slice. One row may exceed the bytes
 * alone; an unknown length counts nothing, and so does every row of a `failed` list, which is never downloaded.
 */
export async function* sliceList(
  list: Slice['list'],
  parts: Iterable<ListPart> | AsyncIterable<ListPart>,
  limits: SliceLimits,
): AsyncGenerator<Slice> {
  let number = 0;
  for await (const { part, chunks } of parts) {
    let start = 0;
    let end = 0;
    let rows = 0;
    let bytes = 0;
    for await (const row of readLines(chunks)) {
      const expected = list === 'failed' ? 0 : Math.max(0, parseSizedLine(row.line).bytes);
      if (rows > 0 && (rows >= limits.sliceRows || bytes + expected > limits.sliceBytes)) {
        yield { list, number, part, start, end, rows };
        number += 1;
        start = end;
        rows = 0;
        bytes = 0;
      }
      end = row.end;
      rows += 1;
      bytes += expected;
    }
    if (rows === 0) continue;
    yield { list, number, part, start, end, rows };
    number += 1;
  }
}

/** Cuts the sized list once: every block of POPs and the report read the slices again, not the URLs. */
export async function writeSlices(lists: ListStore, row: RequestRow, limits: SliceLimits): Promise<void> {
  async function* rows(): AsyncGenerator<string> {
    for (const list of ['sized', 'failed'] as const) {
      for await (const slice of sliceList(list, listParts(lists, row.id, list, row.sizing.parts), limits)) yield formatSlice(slice);
    }
  }
  await lists.put(keys.slices(row.id, limits), rows());
}

/** The slices of a plan, those of failed parts last. */
export async function* readSlices(lists: ListStore, id: string, limits: SliceLimits): AsyncGenerator<Slice> {
  for await (const { line } of readLines(lists.read(keys.slices(id, limits)))) yield parseSlice(line);
}

function formatSlice({ list, number, part, start, end, rows }: Slice): string {
  return `${list},${number},${part},${start},${end},${rows}\n`;
}

function parseSlice(line: string): Slice {
  const [list, ...rest] = line.split(',');
  const [number = 0, part = 0, start = 0, end = 0, rows = 0] = rest.map(Number);
  return { list: list === 'failed' ? 'failed' : 'sized', number, part, start, end, rows };
}
