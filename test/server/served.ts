import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { SimulatedEdgeOptions } from '../../simulator/simulated-edge-options.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { MAIN } from '../cli/prewarm-command.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

export const KEY = 'test-key-of-the-suite';
const READY_MS = 20_000;

/** Whom a test asks: a server on this machine, or a deployed API. */
export interface TestApi {
  /** Without a slash at its end. */
  readonly url: string;
  /** Absent: that of the suite's own servers. */
  readonly key?: string;
}

/** A server as a process of its own, in a process group of its own. */
export interface Served {
  readonly url: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Pids of its agents. */
  agents(): number[];
  /** SIGKILL for the whole group. */
  kill(): Promise<void>;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
}

export interface Progress {
  readonly request_id: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly total_count: number;
  readonly download_count: number;
  readonly failed_count: number;
  readonly percentage_complete: number;
}

/** The edge of a test on loopback, and the options that lead to it. */
export interface TestEdge {
  readonly edge: SimulatedEdge;
  readonly flags: readonly string[];
}

export async function openEdge(options: SimulatedEdgeOptions = {}): Promise<TestEdge> {
  const edge = await createSimulatedEdge(options);
  onTestFinished(() => edge.close());
  const { caFile, edgeMapFile } = await edge.writeFiles(temporaryDir());
  return { edge, flags: ['--edge-map', edgeMapFile, '--ca-file', caFile, '--allow-private-addresses'] };
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Starts `prewarm serve --json` at any free port; it ends with the test. */
export async function serve(flags: readonly string[], env: Readonly<Record<string, string>> = { PREWARM_API_KEY: KEY }): Promise<Served> {
  // A temporary one would stay behind when the server is killed.
  const dataDir = flags.includes('--data-dir') ? [] : ['--data-dir', newDataDir()];
  const child = spawn(process.execPath, [MAIN, 'serve', '--json', '--port', '0', ...dataDir, ...flags], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = once(child, 'exit');
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  for (let waited = 0; !stdout.includes('\n'); waited += 20) {
    if (child.exitCode !== null || waited > READY_MS) throw new Error(`the server did not come up: ${stderr}`);
    await sleep(20);
  }
  return {
    url: (JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as { url: string }).url,
    child,
    stderr: () => stderr,
    agents: () => childrenOf(child.pid ?? 0),
    kill,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      return child.exitCode;
    },
  };
}

export interface Answered<T = unknown> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

/** Asks the API; `body` is sent as JSON. */
export async function ask<T = unknown>(
  api: TestApi,
  path: string,
  options: {
    readonly method?: string;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    readonly key?: string | null;
  } = {},
): Promise<Answered<T>> {
  const { method = options.body === undefined ? 'GET' : 'POST', key = api.key ?? KEY } = options;
  const response = await fetch(api.url + path, {
    method,
    headers: { ...(key === null ? {} : { 'x-api-key': key }), ...options.headers },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
}

/** Makes a request; returns its id. */
export async function submit(served: TestApi, body: Readonly<Record<string, unknown>>): Promise<string> {
  const answered = await ask<{ request_id: string }>(served, '/prewarm', { body });
  if (answered.status !== 200) throw new Error(`refused: ${JSON.stringify(answered.body)}`);
  return answered.body.request_id;
}

export async function progressOf(served: TestApi, id: string): Promise<Progress> {
  return (await ask<Progress>(served, `/prewarm?req_id=${id}`)).body;
}

/** Waits until `isThere` holds for the request's progress, and returns that. */
export async function until(served: TestApi, id: string, isThere: (progress: Progress) => boolean, withinMs = 25_000): Promise<Progress> {
  for (let waited = 0; ; waited += 25) {
    const progress = await progressOf(served, id);
    if (isThere(progress)) return progress;
    if (waited > withinMs) throw new Error(`never came: ${JSON.stringify(progress)}`);
    await sleep(25);
  }
}

export const hasEnded = ({ status }: Progress) => ['FINISHED', 'STOPPED', 'TIMEOUT', 'FAILED'].includes(status);

/** URLs of objects that the simulated edge has. */
export function objectUrls(count: number, prefix = 'a', size = '1k'): string[] {
  return Array.from({ length: count }, (_, n) => `https://d111111abcdef8.cloudfront.net/o/${size}/${prefix}${n}`);
}

export function newDataDir(): string {
  return join(temporaryDir(), 'data');
}
