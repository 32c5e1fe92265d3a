import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLI = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');

const running = new Set<() => void>();
process.once('exit', killRunningCdk);

export interface CdkRun {
  readonly code: number | null;
  /** Standard output and standard error as they came. */
  readonly output: string;
  readonly seconds: number;
}

/**
 * Runs the real `cdk` in the clone, with nothing of the caller's environment but the path. Killed with all it started after
 * `timeoutMs`: a deployment that waits for a custom resource would take an hour. `home` takes the files it keeps for itself.
 */
export function runCdk(
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly home: string;
    /** Default: the clone, whose cdk.json names the app. */
    readonly cwd?: string;
    readonly timeoutMs?: number;
  },
): Promise<CdkRun> {
  const started = performance.now();
  const child = spawn(process.execPath, [CLI, ...args, '--no-notices', '--no-color', '--ci'], {
    cwd: options.cwd ?? ROOT,
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: options.home, TMPDIR: options.home, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const kill = () => {
    if (pid !== undefined && child.exitCode === null) process.kill(-pid, 'SIGKILL');
  };
  const tooLate = setTimeout(() => {
    output.push(`\nkilled after ${options.timeoutMs ?? DEFAULT_TIMEOUT_MS} ms\n`);
    kill();
  }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  running.add(kill);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(tooLate);
      running.delete(kill);
      resolve({ code, output: output.join(''), seconds: (performance.now() - started) / 1000 });
    });
  });
}

const DEFAULT_TIMEOUT_MS = 180_000;

/** A test that was broken off does not wait for the command it ran. */
export function killRunningCdk(): void {
  for (const kill of running) kill();
}

/** The same, for what has to succeed. Rejects with all that was said. */
export async function runCdkWell(...args: Parameters<typeof runCdk>): Promise<CdkRun> {
  const run = await runCdk(...args);
  if (run.code !== 0) throw new Error(`cdk ${args[0].join(' ')} ended with ${run.code}:\n${run.output.slice(-6000)}`);
  return run;
}
