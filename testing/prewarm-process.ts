import { execFileSync, spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const KILL_DEADLINE_MS = 10_000;

export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `prewarm` as a user starts it, in a process group of its own that holds its agents too. */
export interface PrewarmProcess {
  readonly pid: number;
  /** Of the command itself; its agents may outlive it. */
  readonly ended: Promise<Ended>;
  readonly stdin: NodeJS.WritableStream | null;
  stdout(): string;
  stderr(): string;
  /** Pids of its agents that are alive. */
  agents(): readonly number[];
  /** Pids of the whole tree that are alive. */
  tree(): readonly number[];
  /** To the command only. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL to the whole tree; resolves when all of it is gone, which takes the kernel a while after the signal. */
  killTree(): Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps standard input open; default: it is empty. */
  readonly openStdin?: boolean;
  /** What is started; default: node with the command's main file. */
  readonly command?: readonly string[];
}

const groups = new Set<number>();
// A detached group would survive a worker that is ended in the middle of a test.
process.once('exit', () => {
  for (const group of groups) killGroup(group);
});

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Zombies are not alive: their parent may be the very process whose end nobody waits for. */
function listProcesses(): { pid: number; parent: number; group: number }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [pid, parent, group, state] = line.trim().split(/\s+/);
    return state?.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group) }];
  });
}

export function startPrewarm(args: readonly string[], options: StartOptions = {}): PrewarmProcess {
  const [file = '', ...before] = options.command ?? [process.execPath, MAIN];
  const child = spawn(file, [...before, ...args], {
    detached: true,
    // What the machine says of proxies is told by `run`, and is none of a test's business.
    env: { ...process.env, HTTPS_PROXY: '', https_proxy: '', HTTP_PROXY: '', http_proxy: '', ALL_PROXY: '', all_proxy: '', ...options.env },
    stdio: [options.openStdin === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} could not be started`);
  groups.add(pid);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // Not 'close': agents that are left hold nothing of ours open, but what they were started by may.
  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => {
      const end = () => resolve({ code, signal, stdout, stderr });
      if (child.stdout?.closed === false) child.once('close', end);
      else end();
    });
  });
  const tree = () => listProcesses().flatMap((one) => (one.group === pid ? one.pid : []));
  return {
    pid,
    ended,
    stdin: child.stdin,
    stdout: () => stdout,
    stderr: () => stderr,
    agents: () => listProcesses().flatMap((one) => (one.parent === pid && one.group === pid ? one.pid : [])),
    tree,
    signal: (signal) => void child.kill(signal),
    async killTree() {
      killGroup(pid);
      await ended;
      for (const deadline = Date.now() + KILL_DEADLINE_MS; tree().length > 0 && Date.now() < deadline; ) await setTimeout(10);
      groups.delete(pid);
    },
  };
}
