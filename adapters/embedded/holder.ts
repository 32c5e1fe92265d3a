import { randomBytes } from 'node:crypto';

/** Holders of this process: same pid, still alive. Any other holder with our pid is an earlier process that had it. */
const ownHolders = new Set<string>();

/** Names this process in leases and temporary files: `<pid>-<random>`. */
export function createHolder(): string {
  const holder = `${process.pid}-${randomBytes(6).toString('hex')}`;
  ownHolders.add(holder);
  return holder;
}

/** Says that `holder` is this process, also when another made its name. */
export function ownHolder(holder: string): void {
  ownHolders.add(holder);
}

/** Whether the process that a holder names has ended. A holder that names no process never counts as dead. */
export function isDeadHolder(holder: string): boolean {
  const pid = Number(/^(\d+)-/.exec(holder)?.[1] ?? Number.NaN);
  if (Number.isNaN(pid)) return false;
  if (pid === process.pid) return !ownHolders.has(holder);
  return !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive and another user's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
