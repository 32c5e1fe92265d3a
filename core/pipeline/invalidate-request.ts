import { PrewarmError } from '../errors.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { RequestRow } from '../request/request.ts';
import { endRequest } from './end-request.ts';
import {
  gatherRefused,
  type InvalidationBatches,
  openBatches,
  readBatchPaths,
  readSearch,
  referenceOf,
  saveSearch,
  searchAfter,
  writeRefused,
} from './invalidation-batches.ts';
import { type EndingPort, type Next, nextAfter, NOTHING, NOW, type PipelineContext } from './pipeline-context.ts';

/** The ports that invalidating takes. */
export type InvalidatingPort = EndingPort | 'lists' | 'invalidations';
type Context = PipelineContext<InvalidatingPort>;

/** A request without a time-out is not kept waiting for ever by an API that nobody answers at. */
const LONGEST_WAIT_MS = 30 * 60_000;
const MAX_PATHS_NAMED = 10;
const MAX_NAME = 200;

/**
 * Waits for the batch created last, creates the next one, or moves on after the last. Paths that are refused are set aside, and the rest
 * goes on. What passes is waited for; only what does not pass ends the request as FAILED.
 */
export async function invalidateShare(context: Context, row: RequestRow): Promise<Next> {
  const { invalidations, lists } = context.ports;
  if (invalidations === null) return fail(context, row, 'nothing can be invalidated here');
  try {
    const batches = await openBatches(lists, row);
    if (!(await areComplete(invalidations, row))) return lookLater(context, row);
    if (row.invalidations.length < batches.end) return await createBatch(context, row, invalidations);
    return await moveOn(context, row, batches);
  } catch (error) {
    if (!(error instanceof PrewarmError)) throw error;
    if (error.code === 'invalidation_busy') return waitLonger(context, row, error.message);
    if (error.code === 'invalidation') return fail(context, row, `the invalidation failed: ${error.message}`);
    throw error;
  }
}

/** The latest is asked first: it is complete last. */
async function areComplete(invalidations: Invalidations, row: RequestRow): Promise<boolean> {
  const ids = (row.invalidations.at(-1) ?? '').split(' ').filter((id) => id !== '');
  for (const id of ids.toReversed()) if (!(await invalidations.isComplete(row.spec.domain, id))) return false;
  return true;
}

/** One call. A batch that is refused is searched for the paths at fault, a call a share, before the row goes on to the next one. */
async function createBatch({ ports }: Context, row: RequestRow, invalidations: Invalidations): Promise<Next> {
  const { store, lists, clock } = ports;
  const batch = row.invalidations.length;
  const paths = await readBatchPaths(lists, row.id, batch);
  let search = await readSearch(lists, row.id, batch, paths.length);
  const [asked] = search.pending;
  if (asked !== undefined) {
    const reference = referenceOf(row.id, batch, asked, paths.length);
    search = searchAfter(search, await invalidations.create(row.spec.domain, reference, paths.slice(...asked)));
    if (search.calls > 1 || search.pending.length > 0) await saveSearch(lists, row.id, search);
    if (search.pending.length > 0) return NOW;
  }
  const refused = search.refused.flatMap((range) => paths.slice(...range));
  if (refused.length > 0) await writeRefused(lists, row.id, batch, refused);
  const change = { invalidations: [...row.invalidations, search.created.join(' ')], statusReason: null };
  return nextAfter(await store.transition(row.id, 'INVALIDATING', 'INVALIDATING', clock.now(), change));
}

async function moveOn({ ports }: Context, row: RequestRow, batches: InvalidationBatches): Promise<Next> {
  const { store, lists, clock } = ports;
  const statusReason = describeRefused(await gatherRefused(lists, row.id, batches));
  return nextAfter(await store.transition(row.id, 'INVALIDATING', 'SIZING', clock.now(), { statusReason }));
}

function describeRefused(paths: readonly string[]): string | null {
  if (paths.length === 0) return null;
  const names = paths.slice(0, MAX_PATHS_NAMED).map((path) => (path.length > MAX_NAME ? `${path.slice(0, MAX_NAME - 1)}…` : path));
  const more = paths.length > names.length ? `, and ${paths.length - names.length} more` : '';
  const what = paths.length === 1 ? '1 path was refused' : `${paths.length} paths were refused`;
  return `${what} when it came to invalidating, and the URLs fail as not_invalidated: ${names.join(', ')}${more}`;
}

/** The pause grows with the time since the row changed last, so that it is the same for every process that looks. */
function lookLater({ ports, limits }: Context, row: RequestRow): Next {
  const [first, second, others] = limits.invalidationPollsMs;
  const passed = ports.clock.now() - row.updatedAt;
  if (passed < first) return { next: 'later', inMs: first };
  return { next: 'later', inMs: passed < first + second ? second : others };
}

/** The reason is told once: each telling would begin the pauses anew. */
async function waitLonger(context: Context, row: RequestRow, why: string): Promise<Next> {
  const { store, clock } = context.ports;
  if (row.statusReason === null) {
    const statusReason = `the invalidation is waited for: ${why}`;
    if (!(await store.transition(row.id, 'INVALIDATING', 'INVALIDATING', clock.now(), { statusReason }))) return NOTHING;
  } else if (row.timeoutAt === null && clock.now() - row.updatedAt >= LONGEST_WAIT_MS) {
    return fail(context, row, `the invalidation failed: ${why}`);
  }
  return lookLater(context, row);
}

async function fail(context: Context, row: RequestRow, reason: string): Promise<Next> {
  await endRequest(context, row.id, 'FAILED', reason);
  return NOTHING;
}
