import type { Clock } from '../../core/clock.ts';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { FailureSummary } from '../../core/report/summarise-failures.ts';
import type { PopCatalogue } from '../../core/pops/pop-catalogue.ts';
import type { Log } from '../../core/ports/log.ts';
import type { Fleet } from '../../core/ports/fleet.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';
import type { Queue } from '../../core/ports/queue.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import type { KeyHolder } from './api-keys.ts';
import type { Metrics } from './metrics.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { RequestRow } from '../../core/request/request.ts';

/** Links to reports that need no key and end by themselves. */
export interface ReportLinks {
  /** Whether the API gives reports itself. Where they lie in a bucket, it only links to them. */
  readonly servesReports: boolean;
  /** `origin` is the address that clients reach the API at: `https://host`, without a final slash. */
  linkTo(requestId: string, origin: string): Promise<string>;
  /** What is wrong with a link's token; null: nothing. An `outcome` of '' is the whole report. */
  check(
    requestId: string,
    link: { readonly expires: string; readonly token: string; readonly outcome: string },
  ): 'wrong' | 'expired' | null;
}

/** A request that came without a right key, and is answered with 4xx. */
export interface RefusedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly ms: number;
  readonly request: Request;
  /** What delivered it. */
  readonly platform: unknown;
}

/** All that the HTTP API runs on; the same for a server on one machine and for a function in AWS. */
export interface ApiDeps {
  readonly store: RequestStore;
  readonly lists: ListStore;
  readonly pipeline: Pick<Pipeline, 'accept' | 'end' | 'reconcileFleet' | 'report'>;
  readonly fleet: Pick<Fleet, 'maximum' | 'getCapacity' | 'describe' | 'inspect'>;
  readonly tasks: Pick<Queue<unknown>, 'counts'>;
  /** Finds the distribution behind a host; null where an edge map stands in for DNS, and no distribution is needed. */
  readonly domains: Pick<PopResolver, 'findDistribution'> | null;
  readonly catalogue: PopCatalogue;
  /** Most targets (URLs times POPs times header sets) of one request. */
  readonly maxTargets: number;
  /** Most distinct paths that one request invalidates. */
  readonly maxInvalidationPaths: number;
  /**
   * Whose key a request came with; null: it came with none. `platform` is what delivered the request, told beside it: nothing
   * that a client sends reaches it.
   */
  readonly keyOf: (request: Request, platform: unknown) => KeyHolder | null;
  /** Told of each refusal of a request without a right key, which is answered when it resolves. Absent: they are logged as all others. */
  readonly onRefused?: (refused: RefusedRequest) => Promise<void>;
  /** Whether a key sees and ends its own requests only. */
  readonly privateRequests?: boolean;
  readonly reportLinks: ReportLinks;
  /** Where clients reach the API, for its links; absent: where the client that asks has reached it. */
  readonly publicUrl?: string;
  /** What failed of an ended request, where that has been worked out already; null: not yet. Absent: nothing is kept. */
  readonly keptSummary?: (requestId: string) => Promise<FailureSummary | null>;
  /** Names of the distributions that may be warmed, or aliases of theirs; absent or empty: any. */
  readonly allowedDomains?: readonly string[];
  /** Why nothing of this distribution can be invalidated here, and what to write instead; null: it can be. */
  readonly invalidationFault: (domain: string | null) => Promise<string | null>;
  /** The group's name in the answers that existing users' scripts read. */
  readonly groupName: string;
  /** After how long without an agent a request says so. */
  readonly nobodyAfterMs: number;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'debug' | 'info' | 'error'>;
  /** A new UUID. */
  readonly newId: () => string;
  /** Whether `GET /status` lists the URLs that are done. */
  readonly showSuccessUrls: boolean;
  readonly version: string;
  /** What `GET /metrics` answers with. Absent: there is no such path, since figures of one process say nothing where there are many. */
  readonly metrics?: Metrics;
}

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

type Deps = Pick<ApiDeps, 'store' | 'privateRequests'>;

/** Whether the key of that name may know of the request at all. */
export function mayKnow({ privateRequests }: Pick<ApiDeps, 'privateRequests'>, row: Pick<RequestRow, 'madeBy'>, keyName: string): boolean {
  return privateRequests !== true || row.madeBy === keyName;
}

/**
 * The request's row. Throws PrewarmError `not_found`, also where the request is another key's and requests are private.
 * `field` is what the client calls the id; `keyName` null: a link has shown that the client may know of it.
 */
export async function findRequest(deps: Deps, id: string, field: string, keyName: string | null): Promise<RequestRow> {
  // Whatever is no id of ours never reaches a store.
  const row = UUID.test(id) ? await deps.store.get(id.toLowerCase()) : null;
  if (row !== null && (keyName === null || mayKnow(deps, row, keyName))) return row;
  const shown = JSON.stringify(id.slice(0, 64));
  throw new PrewarmError('not_found', `${field}: ${shown}: there is no such request; pass a request_id that POST /prewarm answered`);
}
