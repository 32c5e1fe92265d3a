import { NO_COUNTERS } from '../work/counters.ts';
import { PrewarmError } from '../errors.ts';
import { keys } from '../keys.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import type { RequestRow, RequestSpec } from '../request/request.ts';
import { formatUrlRow } from '../work/sized-list.ts';
import { takeHeadersApart } from '../request/without-secrets.ts';
import { reconcileFleet } from './reconcile-fleet.ts';

export interface NewRequest {
  readonly id: string;
  readonly spec: RequestSpec;
  /** Name of the API key that made it. */
  readonly madeBy?: string | null;
  /** Distinct normalised URLs; or how many of them `urls.csv` of this id holds already. */
  readonly urls: Iterable<string> | AsyncIterable<string> | number;
}

type AcceptingPort = 'store' | 'lists' | 'viewerHeaders' | 'timers' | 'fleet' | 'clock';

/**
 * List, headers, timer, row, fleet, in this order: whatever is left behind by a crash in between runs nothing, since nothing runs
 * for a request that has no row, and a timer without a row finds nothing to end.
 */
export async function acceptRequest(ports: Pick<PipelinePorts, AcceptingPort>, request: NewRequest): Promise<RequestRow> {
  const { store, timers, clock } = ports;
  const known = await store.get(request.id);
  if (known === null) {
    const urlCount = typeof request.urls === 'number' ? request.urls : await writeUrls(ports, request.id, request.urls);
    const row = newRow({ ...request, spec: await keepHeadersApart(ports, request) }, urlCount, clock.now());
    if (row.timeoutAt !== null) await timers.set(row.id, row.timeoutAt);
    await store.create(row);
  }
  await reconcileFleet(ports);
  const row = known ?? (await store.get(request.id));
  if (row === null) throw new PrewarmError('storage', `request ${request.id} was made and is not there`);
  return row;
}

/** What the row may hold of the request. */
async function keepHeadersApart({ viewerHeaders }: Pick<PipelinePorts, 'viewerHeaders'>, { id, spec }: NewRequest): Promise<RequestSpec> {
  const apart = viewerHeaders === null ? null : takeHeadersApart(spec);
  if (viewerHeaders === null || apart === null) return spec;
  await viewerHeaders.keep(id, apart.headers);
  return apart.spec;
}

async function writeUrls(ports: Pick<PipelinePorts, 'lists'>, id: string, urls: Iterable<string> | AsyncIterable<string>): Promise<number> {
  let count = 0;
  async function* rows(): AsyncGenerator<string> {
    for await (const url of urls) {
      count += 1;
      yield formatUrlRow(url);
    }
  }
  await ports.lists.put(keys.urls(id), rows());
  return count;
}

function newRow({ id, spec, madeBy = null }: NewRequest, urlCount: number, now: number): RequestRow {
  return {
    id,
    spec,
    madeBy,
    status: 'CREATED',
    statusReason: null,
    urlCount,
    totalCount: urlCount * spec.pops.length * spec.variants.length,
    totalBytes: 0,
    counters: NO_COUNTERS,
    sizing: { parts: 0, offset: 0, rows: 0, failedRows: 0, bytes: 0, done: false },
    plan: null,
    invalidations: [],
    createdAt: now,
    updatedAt: now,
    queuedAt: null,
    endedAt: null,
    timeoutAt: spec.timeoutMinutes === null ? null : now + spec.timeoutMinutes * 60_000,
  };
}
