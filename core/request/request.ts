import type { Counters } from '../work/counters.ts';

/** SCHEDULED and PAUSED are reserved; nothing enters them yet. */
export const REQUEST_STATUSES = [
  'SCHEDULED',
  'CREATED',
  'INVALIDATING',
  'SIZING',
  'QUEUEING',
  'IN_PROGRESS',
  'PAUSED',
  'FINISHED',
  'STOPPED',
  'TIMEOUT',
  'FAILED',
] as const;

export type RequestStatus = (typeof REQUEST_STATUSES)[number];
export type EndStatus = 'FINISHED' | 'STOPPED' | 'TIMEOUT' | 'FAILED';

export const ACTIVE_STATUSES: readonly RequestStatus[] = ['CREATED', 'INVALIDATING', 'SIZING', 'QUEUEING', 'IN_PROGRESS'];

export function isActive(status: RequestStatus): boolean {
  return ACTIVE_STATUSES.includes(status);
}

export function isEnded(status: RequestStatus): status is EndStatus {
  return status === 'FINISHED' || status === 'STOPPED' || status === 'TIMEOUT' || status === 'FAILED';
}

/** One header line, name as the user wrote it. */
export type Header = readonly [name: string, value: string];

/** One set of request headers that selects its own cache entry. */
export interface Variant {
  readonly name: string;
  readonly headers: readonly Header[];
}

/** A POP of a request: named by the user, or one of a default set (left out when it does not resolve). */
export interface ChosenPop {
  readonly pop: string;
  readonly named: boolean;
}

/** A region or a country that the user named, and the POPs that stand for it. */
export interface ChosenPlace {
  /** As the user wrote it. */
  readonly name: string;
  readonly pops: readonly string[];
}

/** What the user asked for, normalised. Everything in it is valid. */
export interface RequestSpec {
  /** The distribution's own DNS name, `d111111abcdef8.cloudfront.net`; null only where an edge map stands in for DNS. */
  readonly domain: string | null;
  readonly pops: readonly ChosenPop[];
  /** Absent: no region and no country was named, or an earlier version made the request. */
  readonly places?: readonly ChosenPlace[];
  readonly variants: readonly Variant[];
  /** True: values of the variants' headers were left out here and are kept apart (`ViewerHeaders`). Absent: the headers are all here. */
  readonly headersApart?: true;
  /** Statuses that count as done; null: any 2xx. */
  readonly acceptStatus: readonly number[] | null;
  /** How long an answer may be awaited, seconds; absent: the downloader's own 30. */
  readonly firstByteTimeoutSeconds?: number;
  /** Minutes from creation; null: none. */
  readonly timeoutMinutes: number | null;
  /** The request's claim on the fleet, in agents (`instance_count`). */
  readonly agents: number;
  readonly invalidate: boolean;
  /** An https URL that is told of the request's end; absent: nobody is told. */
  readonly notifyUrl?: string;
  /** What its maker calls it; absent: nothing. */
  readonly name?: string;
}

/** How far sizing came: parts written so far, the byte offset in `urls.csv` where the next share starts, and sums. */
export interface SizingCursor {
  readonly parts: number;
  readonly offset: number;
  /** Rows in sized parts so far. */
  readonly rows: number;
  /** Rows in failed parts so far. */
  readonly failedRows: number;
  /** Sum of the lengths learnt, bytes, each URL once per variant. */
  readonly bytes: number;
  readonly done: boolean;
}

/** The plan, fixed by one conditional write before the first task is enqueued, so that planning twice enqueues the same ids. */
export interface Plan {
  /** Upper limits of a slice. */
  readonly sliceRows: number;
  readonly sliceBytes: number;
  /** POPs that take part, in planning order; default POPs that did not resolve are in `skipped`. */
  readonly pops: readonly string[];
  readonly skipped: readonly string[];
  readonly totalCount: number;
  readonly totalBytes: number;
}

export interface RequestRow {
  readonly id: string;
  readonly spec: RequestSpec;
  /** Name of the API key that made it; null: made without one. */
  readonly madeBy: string | null;
  readonly status: RequestStatus;
  readonly statusReason: string | null;
  /** Distinct URLs of the list. */
  readonly urlCount: number;
  /** Targets: an estimate (urls x pops x variants) until `plan` is set, exact from then on. */
  readonly totalCount: number;
  /** Expected bytes over all targets; lengths learnt later are in the counter `learnt_bytes`. */
  readonly totalBytes: number;
  readonly counters: Counters;
  readonly sizing: SizingCursor;
  readonly plan: Plan | null;
  /** Ids of the invalidations of each batch, in order. A batch of which some paths were refused may have several, with blanks between, or none. */
  readonly invalidations: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When planning ended and the last task was on the queue. */
  readonly queuedAt: number | null;
  readonly endedAt: number | null;
  readonly timeoutAt: number | null;
}

/** What is read of many requests at once: all of a row but its lists, which may be long. */
export interface RequestSummary extends Omit<RequestRow, 'spec' | 'sizing' | 'plan' | 'invalidations' | 'queuedAt'> {
  readonly domain: string | null;
  /** The request's claim on the fleet. */
  readonly agents: number;
  /** POPs that take part, and before there is a plan those that were chosen. */
  readonly popCount: number;
  /** What its maker calls it; null: nothing. */
  readonly name: string | null;
  /** Whether somebody is to be told of the request's end. */
  readonly notifies: boolean;
}

/** Why a POP takes no downloads; `resolved` when it does. */
export type PopState = 'resolved' | 'pop_unresolvable' | 'address_refused';

/** One row per request and POP that takes part. */
export interface PopRow {
  readonly requestId: string;
  readonly pop: string;
  readonly state: PopState;
  /** `ip:port/httpPort`, which every task of this POP gets; `ip:port` in rows of earlier versions. */
  readonly addresses: readonly string[];
  readonly totalCount: number;
  readonly counters: Counters;
}
