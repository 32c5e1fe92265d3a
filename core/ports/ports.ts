import type { Clock } from '../clock.ts';
import type { SameCity } from '../pops/served-by.ts';
import type { TaskMessage } from '../work/task.ts';
import type { Downloader } from './downloader.ts';
import type { Fleet } from './fleet.ts';
import type { Invalidations } from './invalidations.ts';
import type { ListStore } from './list-store.ts';
import type { PopResolver } from './pop-resolver.ts';
import type { Queue } from './queue.ts';
import type { RequestStore } from './request-store.ts';
import type { ViewerHeaders } from './viewer-headers.ts';
import type { RequestRow } from '../request/request.ts';

/** One-time timers by request; setting one again replaces it, cancelling none is no error. */
export interface Timers {
  set(requestId: string, at: number): Promise<void>;
  cancel(requestId: string): Promise<void>;
}

/** Announces the end of a request, after its transition. One end may be announced more than once. */
export interface Events {
  requestEnded(row: RequestRow): Promise<void>;
}

/** What the pipeline's steps (accept, size, plan, aggregate, end, report) run on. */
export interface PipelinePorts {
  readonly store: RequestStore;
  readonly lists: ListStore;
  /** Null where agents run under the same user on the same tables, so that nothing can be hidden from them: headers stay in the row. */
  readonly viewerHeaders: Pick<ViewerHeaders, 'keep' | 'nameOf' | 'read'> | null;
  readonly tasks: Queue<TaskMessage>;
  readonly fleet: Omit<Fleet, 'inspect'>;
  readonly timers: Timers;
  /** Null where nothing can be invalidated; a request that asks for it is refused before it is made. */
  readonly invalidations: Invalidations | null;
  readonly resolver: PopResolver;
  readonly downloader: Downloader;
  readonly events: Events;
  readonly clock: Clock;
}

/** What an agent runs on. */
export interface AgentPorts {
  readonly store: Pick<RequestStore, 'get' | 'hasTask' | 'putTask' | 'putProvisional'>;
  readonly lists: Pick<ListStore, 'read' | 'putResult'>;
  /** Null where headers are never kept apart. */
  readonly viewerHeaders: Pick<ViewerHeaders, 'read'> | null;
  readonly tasks: Queue<TaskMessage>;
  readonly downloader: Downloader;
  readonly clock: Clock;
  readonly sameCity: SameCity;
}
