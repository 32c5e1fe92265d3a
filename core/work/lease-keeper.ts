import type { Clock } from '../clock.ts';
import { PrewarmError } from '../errors.ts';
import type { Queue } from '../ports/queue.ts';
import type { TaskMessage } from './task.ts';

/** Holds one received task. */
export interface LeaseKeeper {
  /** Renews the lease once a third of it is over; false: it was lost, the task may be in other hands. Throws PrewarmError `storage_full`. */
  renew(): Promise<boolean>;
}

/** The lease begins now. `refused` is told of a renewal that failed; the next one tries again. */
export function createLeaseKeeper(
  clock: Clock,
  tasks: Pick<Queue<TaskMessage>, 'extend'>,
  receipt: string,
  leaseMs: number,
  refused: (error: unknown) => void,
): LeaseKeeper {
  let renewedAt = clock.now();
  return {
    async renew() {
      // A clock that was set back must not keep a lease from being renewed.
      const age = () => Math.abs(clock.now() - renewedAt);
      if (age() < leaseMs / 3) return true;
      const askedAt = clock.now();
      try {
        const isHeld = await tasks.extend(receipt, leaseMs);
        if (isHeld) renewedAt = askedAt;
        return isHeld;
      } catch (error) {
        refused(error);
        if (age() > leaseMs) return false;
        if (error instanceof PrewarmError && error.code === 'storage_full') throw error;
        return true;
      }
    },
  };
}
