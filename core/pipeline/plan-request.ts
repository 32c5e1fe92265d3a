import { storeAddress } from '../pops/address.ts';
import { NO_COUNTERS } from '../work/counters.ts';
import type { PopResolution } from '../ports/pop-resolver.ts';
import type { Plan, PopRow, RequestRow } from '../request/request.ts';
import { chooseSliceLimits, writeSlices } from './slicing.ts';
import { endIfDone, endRequest } from './end-request.ts';
import { enqueueShare, type EnqueuingPort } from './enqueue-tasks.ts';
import { type EndingPort, type Next, nextAfter, NOTHING, type PipelineContext } from './pipeline-context.ts';
import { fixedResolutions, resolvePops } from './resolve-pops.ts';

/** The ports that planning takes. */
export type PlanningPort = EndingPort | EnqueuingPort | 'resolver';

/** Fixes the plan if there is none, then enqueues the next share of its tasks; after the last one the request is IN_PROGRESS. */
export async function planShare(context: PipelineContext<PlanningPort>, row: RequestRow): Promise<Next> {
  const { store, resolver, clock } = context.ports;
  const plan = row.plan ?? (await makePlan(context, row));
  if (plan === null) return NOTHING;
  const fixed = await fixedResolutions(resolver, row.spec.domain, await store.listPops(row.id));
  const enqueued = await enqueueShare(context, row, plan, fixed);
  if (enqueued !== 'all') return nextAfter(enqueued === 'some');
  const now = clock.now();
  if (!(await store.transition(row.id, 'QUEUEING', 'IN_PROGRESS', now, { queuedAt: now }))) return NOTHING;
  const planned = await store.get(row.id);
  if (planned !== null) await endIfDone(context, planned);
  return NOTHING;
}

/** The plan that holds, whoever fixed it; null when there is nothing to plan (any more). */
async function makePlan(context: PipelineContext<PlanningPort>, row: RequestRow): Promise<Plan | null> {
  const { store, lists, fleet, resolver, clock } = context.ports;
  const { spec, sizing } = row;
  const resolutions = await resolvePops(
    resolver,
    spec.domain,
    spec.pops.map(({ pop }) => pop),
  );
  const pops: string[] = [];
  const skipped: string[] = [];
  for (const { pop, named } of spec.pops) {
    if (!named && resolutions.get(pop)?.state === 'pop_unresolvable') skipped.push(pop);
    else pops.push(pop);
  }
  if (pops.length === 0) {
    await endRequest(context, row.id, 'FAILED', `none of the ${skipped.length} default POPs resolves for ${spec.domain ?? 'this domain'}`);
    return null;
  }
  const variants = spec.variants.length;
  const limits = chooseSliceLimits({
    rows: sizing.rows,
    bytes: sizing.bytes / variants,
    variants,
    pops: pops.length,
    agents: Math.min(spec.agents, fleet.maximum),
  });
  // Written before the limits are fixed, under their own name, so that a plan never exists without its slices.
  await writeSlices(lists, row, limits);
  const perPop = (sizing.rows + sizing.failedRows) * variants;
  const plan = { ...limits, pops, skipped, totalCount: perPop * pops.length, totalBytes: sizing.bytes * pops.length };
  return store.fixPlan(
    row.id,
    plan,
    pops.map((pop) => popRow(row.id, pop, resolutions.get(pop), perPop)),
    clock.now(),
  );
}

function popRow(requestId: string, pop: string, resolution: PopResolution | undefined, totalCount: number): PopRow {
  const addresses = resolution?.state === 'resolved' ? resolution.addresses.map(storeAddress) : [];
  return { requestId, pop, state: resolution?.state ?? 'pop_unresolvable', addresses, totalCount, counters: NO_COUNTERS };
}
