import type { EndStatus, Plan, PopRow, RequestRow, RequestStatus, RequestSummary, SizingCursor } from '../request/request.ts';
import type { TaskRow } from '../work/task.ts';

/** Whose provisional figures are of sizing: `count` are then the URLs of the request that have been asked so far, and no targets. */
export const SIZER_ID = 'sizing';

/** Figures that are older than this count for nothing: their agent has gone. */
export const PROVISIONAL_LASTS_MS = 30_000;

/** What an agent has finished of tasks that are not recorded yet: feeds the progress bar only. */
export interface Provisional {
  readonly requestId: string;
  readonly agentId: string;
  /** Finished targets of unrecorded tasks. */
  readonly count: number;
  /** Bytes of the objects of those of them that are warm, each counted once. */
  readonly bytes: number;
  /** Targets finished per second, over the agent's last seconds. */
  readonly rate: number;
  /** Bytes of those warm objects per second, over the same seconds; absent: an earlier version wrote the row. */
  readonly byteRate?: number;
  /** Asks in flight; absent: an earlier version wrote the row. */
  readonly inFlight?: number;
  readonly updatedAt: number;
}

interface RequestChange {
  readonly statusReason?: string | null;
  readonly queuedAt?: number;
  readonly invalidations?: readonly string[];
}

/** A place in the list of all requests: behind the request that it names. */
export type ListPosition = Pick<RequestSummary, 'createdAt' | 'id'>;

export interface RequestPage {
  readonly requests: readonly RequestSummary[];
  /** Give it back as `after` for the next page; null: this was the last. */
  readonly next: ListPosition | null;
}

/**
 * The tables. Each method is atomic, and each write either happened wholly or not at all; one that throws may still
 * have happened. Inserting a request, changing it, and recording a task are told to the core (stream or outbox) at least once.
 */
export interface RequestStore {
  /** Inserts the row if its id is new; false when there is one already. */
  create(row: RequestRow): Promise<boolean>;
  get(id: string): Promise<RequestRow | null>;
  /** Newest first. */
  list(limit: number, after?: ListPosition): Promise<RequestPage>;
  /** Oldest first. */
  listActive(): Promise<readonly RequestSummary[]>;

  /** Moves the request on if its status is `from`; false otherwise. */
  transition(id: string, from: RequestStatus, to: RequestStatus, at: number, change?: RequestChange): Promise<boolean>;
  /** Replaces the cursor if the request is SIZING and its cursor still has `expectedParts` parts. */
  saveSizing(id: string, expectedParts: number, next: SizingCursor, at: number): Promise<boolean>;
  /** Fixes the plan and writes its POP rows if the request is QUEUEING and has no plan yet. Returns the plan that holds; null: not QUEUEING. */
  fixPlan(id: string, plan: Plan, pops: readonly PopRow[], at: number): Promise<Plan | null>;
  /** Sets the time-out of an active request (a resumed run starts it anew). */
  setTimeoutAt(id: string, timeoutAt: number | null): Promise<boolean>;

  listPops(id: string): Promise<readonly PopRow[]>;

  /** Inserts the row if there is none for this task; false otherwise. */
  putTask(row: TaskRow): Promise<boolean>;
  hasTask(requestId: string, taskId: string): Promise<boolean>;
  /** Ids of the tasks of one POP that have been counted. */
  countedTasks(requestId: string, pop: string): Promise<ReadonlySet<string>>;
  /** How many tasks of the request are recorded and not counted. Of an ended request: those whose results came after the end. */
  uncountedTasks(requestId: string): Promise<number>;
  /**
   * Marks those of the tasks counted that are recorded and were not counted yet, and adds their counters to the request and POP rows.
   * A task's mark and its counters change in one transaction; a store may take several transactions for many tasks.
   * Counts nothing once the request has ended. Returns the request row as it is afterwards; null: no such request.
   */
  countTasks(requestId: string, taskIds: readonly string[], at: number): Promise<RequestRow | null>;
  /**
   * Ends the request if it is active, exactly `ifAccounted` of its targets are accounted, and `totalCount` is `ifTotal`
   * (absent: any; a plan fixed meanwhile changes it). `stopped` more targets are added as `failed` with `reason.stopped`.
   * False: it had ended, or more has been counted or planned meanwhile.
   */
  end(
    id: string,
    status: EndStatus,
    end: { ifAccounted: number; ifTotal?: number; stopped: number; statusReason: string | null; at: number },
  ): Promise<boolean>;

  /** Drops from an ended request's row what `withoutSecrets` drops. Does nothing to any other request. */
  dropSecrets(id: string): Promise<void>;

  /** One row per agent and request, replaced by each heartbeat; a count of 0 removes it. */
  /** A row that counts nothing, and has nothing in flight, is removed. */
  putProvisional(row: Provisional): Promise<void>;
  listProvisional(requestId: string): Promise<readonly Provisional[]>;

  /** The operator's claim; null when there is none. */
  getOperatorClaim(): Promise<OperatorClaim | null>;
  setOperatorClaim(claim: OperatorClaim | null): Promise<void>;
  /** Changes the claim of an active request; false when there is none. */
  setRequestClaim(id: string, agents: number): Promise<boolean>;

  /** Keeps the claim if there is none of its key that still lasts at `at`. Returns the one that holds, of whoever was first. */
  claimIdempotencyKey(claim: IdempotencyClaim, at: number): Promise<IdempotencyClaim>;
}

/** Ties a client's idempotency key to the one request that is made under it. */
export interface IdempotencyClaim {
  /** Distinct between clients. */
  readonly key: string;
  /** Of the body that came with the key. */
  readonly fingerprint: string;
  readonly requestId: string;
  readonly lapsesAt: number;
}

export interface OperatorClaim {
  readonly agents: number;
  readonly lapsesAt: number;
}
