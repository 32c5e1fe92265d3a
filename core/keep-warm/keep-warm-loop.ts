import { CancellableScope, pauseIn } from '../ask-scope.ts';
import type { Clock } from '../clock.ts';
import type { KeepWarmEvent, KeepWarmSender } from './keep-warm-sender.ts';
import type { KeepWarmRoute } from './route.ts';

const RUN_MS = 60_000;
/** What the last requests of a run may take: the next run has begun by then, and the limits are those of both. */
const RUN_TAIL_MS = 15_000;

export interface KeepWarmLoopOptions {
  readonly sender: KeepWarmSender;
  readonly routes: readonly KeepWarmRoute[];
  readonly clock: Clock;
  readonly record: (event: KeepWarmEvent) => void;
  /** Runs of a minute each, the last one included; null: until it is stopped. */
  readonly runs: number | null;
  /** After each run, all of which has ended. */
  readonly onRun?: () => void;
}

export interface KeepWarmLoop {
  /** Resolves when the last run has ended or the loop was stopped; rejects for faults of the program. */
  readonly ended: Promise<void>;
  /** Nothing is sent from now on, and what is under way is broken off. */
  stop(): void;
}

/**
 * Runs the routes every minute, each run spread over the whole of it, so that no pause is longer than another. Minutes that
 * passed while the machine slept are left out.
 */
export function startKeepWarmLoop({ sender, routes, clock, record, runs, onRun }: KeepWarmLoopOptions): KeepWarmLoop {
  const scope = new CancellableScope();
  const startedAt = clock.now();
  const underWay = new Set<Promise<void>>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});

  const begin = (run: number) => {
    const sending = sender
      .send(routes, { run, spanMs: RUN_MS, endMs: RUN_MS + RUN_TAIL_MS, record, scope })
      .then(() => onRun?.())
      .catch(failed.reject)
      .finally(() => underWay.delete(sending));
    underWay.add(sending);
  };
  const loop = async () => {
    for (let run = 0; !scope.cancelled && (runs === null || run < runs); ) {
      begin(run);
      const next = run + 1;
      await pauseIn(scope, clock, startedAt + next * RUN_MS - clock.now());
      run = Math.max(next, Math.floor((clock.now() - startedAt) / RUN_MS));
    }
    await Promise.all(underWay);
  };
  return {
    ended: Promise.race([loop(), failed.promise]).finally(() => scope.cancel()),
    stop: () => scope.cancel(),
  };
}
