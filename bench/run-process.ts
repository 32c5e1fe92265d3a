import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type ProcessPeaks, watchPeaks } from './process-peaks.ts';

export interface ProcessRun {
  readonly seconds: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly stdout: string;
  readonly peaks: ProcessPeaks | null;
}

const LONGEST_RUN_MS = 15 * 60_000;

/** Runs a command to its end and times it from outside. Throws with its last words when it fails or takes too long. */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly stdin?: string; readonly watchPort?: number } = {},
): Promise<ProcessRun> {
  const startedAt = Date.now();
  const start = performance.now();
  const child = spawn(command, args, { env: options.env, stdio: ['pipe', 'pipe', 'pipe'], timeout: LONGEST_RUN_MS });
  const peaks = options.watchPort === undefined || child.pid === undefined ? null : watchPeaks(child.pid, options.watchPort);
  const closed = once(child, 'close');
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  child.stdin.end(options.stdin ?? '');
  const [code, signal] = (await closed) as [number | null, string | null];
  const seconds = (performance.now() - start) / 1000;
  await peaks?.stop();
  if (code !== 0) {
    const said = `${await stderr}\n${(await stdout).slice(-1000)}`.slice(-3000);
    throw new Error(`${command} ${args.join(' ').slice(0, 300)} ended with ${code ?? signal}: ${said}`);
  }
  return { seconds, startedAt, stdout: await stdout, peaks };
}
