import { readdir, readFile } from 'node:fs/promises';

/** Peak resident sizes of a process and its descendants, in bytes, by pid. */
export interface ProcessPeaks {
  /** Those with `agent/` in their command line. */
  readonly agents: ReadonlyMap<number, number>;
  readonly others: ReadonlyMap<number, number>;
  /** Most connections to `port` that were up at once. */
  readonly connections: number;
  stop(): Promise<void>;
}

const SAMPLE_EVERY_MS = 100;

/** Null when the process has gone meanwhile. */
async function readProc(path: string): Promise<string | null> {
  try {
    return await readFile(`/proc/${path}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readProc(`${name}/stat`);
    // The command name before the last parenthesis may hold anything.
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const family = [root];
  for (const pid of family) for (const [child, parent] of parents) if (parent === pid) family.push(child);
  return family;
}

async function countConnections(port: number): Promise<number> {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')} 01`;
  const table = (await readProc('net/tcp')) ?? '';
  return table.split('\n').filter((line) => line.slice(20).includes(remote)).length;
}

/** Looks at `root` and its descendants every 100 ms until stopped. Linux only. */
export function watchPeaks(root: number, port: number): ProcessPeaks {
  const agents = new Map<number, number>();
  const others = new Map<number, number>();
  let connections = 0;
  let watching = true;
  const sample = async () => {
    for (const pid of await descendants(root)) {
      const status = await readProc(`${pid}/status`);
      const command = await readProc(`${pid}/cmdline`);
      const peak = /VmHWM:\s+(\d+) kB/.exec(status ?? '')?.[1];
      if (peak === undefined || command === null || !command.includes('node')) continue;
      (command.includes('agent/') ? agents : others).set(pid, Number(peak) * 1024);
    }
    connections = Math.max(connections, await countConnections(port));
  };
  const watch = async () => {
    while (watching) {
      await sample();
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
    }
  };
  const watched = watch();
  return {
    agents,
    others,
    get connections() {
      return connections;
    },
    async stop() {
      watching = false;
      await watched;
    },
  };
}
