import { keys } from '../keys.ts';
import type { CreatedInvalidation } from '../ports/invalidations.ts';
import type { ListStore } from '../ports/list-store.ts';
import { readIfThere } from './invalidation-batches.ts';

/** Paths of a batch by their places: from the first to the second, exclusive. */
export type PathRange = readonly [from: number, to: number];

/** How far the search of one batch came for the paths that are refused. */
export interface RefusedSearch {
  readonly batch: number;
  readonly calls: number;
  /** Not asked for yet, in order. */
  readonly pending: readonly PathRange[];
  /** Ids of the invalidations made of what was taken. */
  readonly created: readonly string[];
  readonly refused: readonly PathRange[];
}

/**
 * One refused path among 3,000 takes about 24 calls. What is left after so many is refused with its neighbours: a batch of nothing but
 * refused paths would take 6,000.
 */
const MAX_CALLS = 250;

/** The search of this batch where it was left; its start if there is none, or one of another batch. */
export async function readSearch(lists: ListStore, id: string, batch: number, size: number): Promise<RefusedSearch> {
  const [line] = await readIfThere(lists, keys.invalidationSearch(id));
  const search = line === undefined ? null : (JSON.parse(line) as RefusedSearch);
  return search?.batch === batch ? search : { batch, calls: 0, pending: [[0, size]], created: [], refused: [] };
}

export async function saveSearch(lists: ListStore, id: string, search: RefusedSearch): Promise<void> {
  await lists.put(keys.invalidationSearch(id), [`${JSON.stringify(search)}\n`]);
}

/** The search after its first pending range was asked for. What was refused is halved, until a path stands alone. */
export function searchAfter(search: RefusedSearch, answer: CreatedInvalidation): RefusedSearch {
  const [asked, ...rest] = search.pending;
  if (asked === undefined) return search;
  const calls = search.calls + 1;
  if ('id' in answer) return { ...search, calls, pending: rest, created: [...search.created, answer.id] };
  const [from, to] = asked;
  if (to - from <= 1 || calls >= MAX_CALLS) return { ...search, calls, pending: rest, refused: [...search.refused, asked] };
  const middle = (from + to) >>> 1;
  return { ...search, calls, pending: [[from, middle], [middle, to], ...rest] };
}

/** The same paths have the same reference whoever asks, so that none is paid twice. */
export function referenceOf(id: string, batch: number, [from, to]: PathRange, size: number): string {
  return from === 0 && to === size ? `${id}-${batch}` : `${id}-${batch}-${from}-${to}`;
}
