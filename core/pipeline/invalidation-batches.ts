import { PrewarmError } from '../errors.ts';
import { invalidationPathOf, MAX_PATH_CHARACTERS } from '../request/invalidation-path.ts';
import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request/request.ts';
import { parseUrlLine, readLines } from '../work/sized-list.ts';
import { createUrlSet } from '../request/url-set.ts';
import type { CreatedInvalidation } from '../ports/invalidations.ts';

/** CloudFront takes 3,000 paths a call, and has at most 3,000 in progress per distribution: so one batch after the other. */
const BATCH_PATHS = 3000;

/** The batches that were written: numbers `first` up to `end`, exclusive. */
export interface InvalidationBatches {
  readonly first: number;
  readonly end: number;
}

/**
 * Writes the distinct paths of the list once, a batch an object, unless that has been done. CloudFront refuses a path twice, and URLs
 * that differ in scheme or host only share theirs. Writing them again writes the same.
 */
export async function openBatches(lists: ListStore, row: RequestRow): Promise<InvalidationBatches> {
  return (await readBatches(lists, row.id)) ?? writeBatches(lists, row);
}

async function readBatches(lists: ListStore, id: string): Promise<InvalidationBatches | null> {
  const [line] = await readIfThere(lists, keys.invalidationBatches(id));
  if (line === undefined) return null;
  const [first = 0, end = 0] = line.split(',').map(Number);
  return { first, end };
}

async function writeBatches(lists: ListStore, row: RequestRow): Promise<InvalidationBatches> {
  // Batches that the version before made: it cut the list of URLs, duplicates of paths included.
  const first = row.invalidations.length;
  const seen = createUrlSet();
  const tooLong: string[] = [];
  let batch: string[] = [];
  let end = first;
  let at = 0;
  const write = async () => {
    await writeLines(lists, keys.invalidationPaths(row.id, end), batch);
    batch = [];
    end += 1;
  };
  for await (const { line } of readLines(lists.read(keys.urls(row.id)))) {
    const path = invalidationPathOf(parseUrlLine(line));
    const isMade = at < first * BATCH_PATHS;
    at += 1;
    if (!seen.add(path) || isMade) continue;
    if (path.length > MAX_PATH_CHARACTERS) tooLong.push(path);
    else batch.push(path);
    if (batch.length === BATCH_PATHS) await write();
  }
  if (batch.length > 0) await write();
  if (tooLong.length > 0) await writeLines(lists, keys.refusedPart(row.id, 0), tooLong);
  await lists.put(keys.invalidationBatches(row.id), [`${first},${end}\n`]);
  return { first, end };
}

export async function readBatchPaths(lists: ListStore, id: string, batch: number): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { line } of readLines(lists.read(keys.invalidationPaths(id, batch)))) paths.push(line);
  return paths;
}

export async function writeRefused(lists: ListStore, id: string, batch: number, paths: readonly string[]): Promise<void> {
  await writeLines(lists, keys.refusedPart(id, batch + 1), paths);
}

/** Brings the refused paths of all batches together, for `readRefusedPaths`, and returns them. */
export async function gatherRefused(lists: ListStore, id: string, { first, end }: InvalidationBatches): Promise<readonly string[]> {
  const refused = [...(await readIfThere(lists, keys.refusedPart(id, 0)))];
  for (let batch = first; batch < end; batch++) {
    for (const path of await readIfThere(lists, keys.refusedPart(id, batch + 1))) refused.push(path);
  }
  if (refused.length > 0) await writeLines(lists, keys.refusedPaths(id), refused);
  return refused;
}

/** Paths whose URLs must not be warmed, since their old copies may be cached still. */
export async function readRefusedPaths(lists: Pick<ListStore, 'read'>, id: string): Promise<ReadonlySet<string>> {
  return new Set(await readIfThere(lists, keys.refusedPaths(id)));
}

async function writeLines(lists: ListStore, key: string, lines: readonly string[]): Promise<void> {
  await lists.put(key, [lines.map((line) => `${line}\n`).join('')]);
}

/** The lines of an object; none where there is no such object. */
async function readIfThere(lists: Pick<ListStore, 'read'>, key: string): Promise<readonly string[]> {
  const lines: string[] = [];
  try {
    for await (const { line } of readLines(lists.read(key))) lines.push(line);
  } catch (error) {
    if (!(error instanceof PrewarmError) || error.code !== 'not_found') throw error;
  }
  return lines;
}

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
