import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

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
    return !isZombie(pid);
  } catch (error) {
    // EPERM: it is alive and another user's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Whether the process has ended and only waits for its parent to notice, which an orphan's may do late or never (process 1
 * of many containers). Linux tells, after the name in parentheses; elsewhere process 1 notices at once.
 */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch {
    // Gone meanwhile, or not ours to look at: the next look tells.
    return false;
  }
}
