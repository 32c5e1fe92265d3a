import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentLog } from './agent-log.ts';

/** Shows the agents of one instance which of them are busy. */
interface BusyMarkers {
  /** Sets or takes away this agent's own marker. */
  set(busy: boolean): void;
  /** Whether any agent of the instance is busy. */
  any(): boolean;
  /** An earlier process of the same number left its marker behind. */
  readonly wasBusy: boolean;
}

/**
 * One empty file per busy agent, named by the agent's number: one that was killed is busy until the process that takes its
 * place says otherwise, which is right, as its tasks are still leased. `dir` null: this agent is the only one.
 */
export function createBusyMarkers(dir: string | null, agentNumber: number): BusyMarkers {
  if (dir === null) {
    let own = false;
    return {
      set: (busy) => {
        own = busy;
      },
      any: () => own,
      wasBusy: false,
    };
  }
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `busy-${agentNumber}`);
  const names = () => readdirSync(dir).filter((name) => name.startsWith('busy-'));
  return {
    set: (busy) => (busy ? writeFileSync(file, '') : rmSync(file, { force: true })),
    any: () => names().length > 0,
    wasBusy: names().includes(`busy-${agentNumber}`),
  };
}

export interface ScaleInProtection {
  /** How many tasks this agent holds. */
  held(tasks: number): void;
  /** Says that this agent is idle from now on; resolves when the group knows, or soon. */
  leave(): Promise<void>;
}

/** After a call that failed. */
const RETRY_MS = 15_000;
/** A leaving agent waits no longer for a call that only spares the group a wait. */
const LEAVE_MS = 2000;

/**
 * Brings the instance's protection to what the markers say. `protect` calls the group, and answers false when that takes no protection
 * for the instance now; both this and a failure, which is logged, are made good later.
 *
 * The agents of an instance agree without a lock: each sets its marker before it calls, and calls again until what it asked for is
 * what the markers say afterwards. The last call to take effect is thus one that was right when it had returned.
 */
function createReconciler(markers: BusyMarkers, protect: (on: boolean) => Promise<boolean>, log: AgentLog) {
  let retryTimer: NodeJS.Timeout | undefined;
  let calling: Promise<void> | null = null;

  async function callUntilRight(): Promise<void> {
    try {
      let asked: boolean;
      do {
        asked = markers.any();
        if (!(await protect(asked))) {
          tryLater();
          return;
        }
      } while (asked !== markers.any());
    } catch (error) {
      log.warn({ err: error }, 'scale_in_protection_failed');
      tryLater();
    } finally {
      // This is the same turn as the last look at the markers, so that a marker which is set later starts anew.
      calling = null;
    }
  }

  function tryLater(): void {
    stop();
    retryTimer = setTimeout(() => void reconcile(), RETRY_MS).unref();
  }

  function reconcile(): Promise<void> {
    calling ??= callUntilRight();
    return calling;
  }

  const stop = () => clearTimeout(retryTimer);
  return { reconcile, stop };
}

/**
 * Keeps the group from taking an instance while one of its agents is busy, and lets it after `idleMs` without a task: two calls
 * per busy spell, however short its tasks are.
 */
export function createScaleInProtection(
  markers: BusyMarkers,
  protect: (on: boolean) => Promise<boolean>,
  log: AgentLog,
  idleMs: number,
): ScaleInProtection {
  const { reconcile, stop } = createReconciler(markers, protect, log);
  let busy = false;
  let idleTimer: NodeJS.Timeout | undefined;

  function mark(now: boolean): void {
    try {
      markers.set(now);
    } catch (error) {
      log.warn({ err: error }, 'busy_marker_failed');
    }
  }

  function set(now: boolean): Promise<void> {
    clearTimeout(idleTimer);
    idleTimer = undefined;
    if (busy === now) return Promise.resolve();
    busy = now;
    mark(now);
    return reconcile();
  }

  if (markers.wasBusy) {
    mark(false);
    void reconcile();
  }
  return {
    held(tasks) {
      if (tasks > 0) void set(true);
      else if (busy) idleTimer ??= setTimeout(() => void set(false), idleMs).unref();
    },
    async leave() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, LEAVE_MS);
      await Promise.race([set(false), late]);
      clearTimeout(timer);
      stop();
    },
  };
}
