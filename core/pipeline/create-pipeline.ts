import type { PipelinePorts } from '../ports/ports.ts';
import type { EndStatus, RequestRow } from '../request/request.ts';
import type { TaskMessage } from '../work/task.ts';
import { acceptRequest, type NewRequest } from './accept-request.ts';
import { advanceRequest } from './advance-request.ts';
import { aggregateTasks, endRequest, fireTimer, type RecordedTask } from './end-request.ts';
import { createContext, haltAll, type Next, type PipelineOptions } from './pipeline-context.ts';
import { reconcileFleet } from './reconcile-fleet.ts';
import { recordDead } from './record-failures.ts';
import { reportRequest } from '../report/report-request.ts';

/** The steps of every request. Each may be called twice, late, at once, and again after a crash anywhere in it. */
export interface Pipeline {
  /** Makes a request; the same id again answers the row there is. */
  accept(request: NewRequest): Promise<RequestRow>;
  /** Does the next share of a request's work, and answers when the one after it is due. */
  advance(id: string): Promise<Next>;
  /** Counts recorded tasks, and ends the requests whose last ones they were. */
  aggregate(records: readonly RecordedTask[]): Promise<void>;
  /** Ends an active request, with the side effects. Returns the row as it is then; null: no such request. */
  end(id: string, status: EndStatus, reason: string | null): Promise<RequestRow | null>;
  /** What a request's timer calls. */
  fireTimer(id: string): Promise<void>;
  /** Records the targets of a dead letter as `exhausted`. */
  recordDead(message: TaskMessage): Promise<void>;
  /** Makes the fleet as large as the claims on it; returns that capacity, in agents. */
  reconcileFleet(): Promise<number>;
  /** Breaks off what this process is doing for any request; a later `advance` does it again. For a process about to end. */
  halt(): void;
  /**
   * The report as CSV text: a header and one row per target; with `failed`, those of POPs without failures are left out. Throws
   * PrewarmError `not_found`, or `conflict` while the request is active.
   */
  report(id: string, only?: 'failed'): AsyncIterable<string>;
}

export function createPipeline(ports: PipelinePorts, options: PipelineOptions = {}): Pipeline {
  const context = createContext(ports, options);
  return {
    accept: (request) => acceptRequest(ports, request),
    advance: (id) => advanceRequest(context, id),
    aggregate: (records) => aggregateTasks(context, records),
    end: (id, status, reason) => endRequest(context, id, status, reason),
    fireTimer: (id) => fireTimer(context, id),
    recordDead: (message) => recordDead(ports, message),
    reconcileFleet: () => reconcileFleet(ports),
    halt: () => haltAll(context),
    report: (id, only) => reportRequest(ports, id, only),
  };
}
