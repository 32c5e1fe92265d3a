import { PrewarmError } from '../errors.ts';
import { invalidationPathOf } from '../invalidation-path.ts';
import { keys } from '../keys.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request.ts';
import { parseUrlLine, readLines } from '../sized-list.ts';
import { endRequest } from './end-request.ts';
import type { PipelineContext } from './pipeline-context.ts';

/** CloudFront takes 3,000 paths a call, and has at most 3,000 in progress per distribution: so one batch after the other. */
const BATCH_PATHS = 3000;

/** Waits for the batch created last, creates the next one, or moves on after the last. A batch that fails ends the request as FAILED. */
export async function invalidateShare(context: PipelineContext, row: RequestRow): Promise<number | null> {
  const { store, invalidations, clock } = context.ports;
  if (invalidations === null) return fail(context, row, 'nothing can be invalidated here');
  try {
    const last = row.invalidations.at(-1);
    if (last !== undefined && !(await invalidations.isComplete(row.spec.domain, last))) return context.limits.invalidationPollMs;
    if (row.invalidations.length * BATCH_PATHS < row.urlCount) return await createBatch(context, row, invalidations);
  } catch (error) {
    if (!(error instanceof PrewarmError) || error.code !== 'invalidation') throw error;
    return fail(context, row, `the invalidation failed: ${error.message}`);
  }
  return (await store.transition(row.id, 'INVALIDATING', 'SIZING', clock.now())) ? 0 : null;
}

async function createBatch({ ports }: PipelineContext, row: RequestRow, invalidations: Invalidations): Promise<number | null> {
  const batch = row.invalidations.length;
  const paths = await pathsOf(ports.lists, row.id, batch);
  const created = await invalidations.create(row.spec.domain, `${row.id}-${batch}`, paths);
  const change = { invalidations: [...row.invalidations, created] };
  return (await ports.store.transition(row.id, 'INVALIDATING', 'INVALIDATING', ports.clock.now(), change)) ? 0 : null;
}

/** Distinct paths of one batch: URLs that differ in host or scheme only share theirs, and CloudFront refuses a path twice. */
async function pathsOf(lists: ListStore, id: string, batch: number): Promise<string[]> {
  const paths = new Set<string>();
  let at = 0;
  for await (const { line } of readLines(lists.read(keys.urls(id)))) {
    if (at >= (batch + 1) * BATCH_PATHS) break;
    if (at >= batch * BATCH_PATHS) paths.add(invalidationPathOf(parseUrlLine(line)));
    at += 1;
  }
  return [...paths];
}

async function fail(context: PipelineContext, row: RequestRow, reason: string): Promise<null> {
  await endRequest(context, row.id, 'FAILED', reason);
  return null;
}
