import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { BenchContext } from './bench.ts';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
export const API_KEY = 'key-of-the-bench';

interface Progress {
  readonly status: string;
  readonly download_count: number;
  readonly provisional_count: number;
}

/** A server as its users start it, and the few calls the bench makes. */
export interface ServedApi {
  readonly url: string;
  readonly pid: number;
  /** Returns the id and how long the answer took, milliseconds. */
  submit(body: object): Promise<{ readonly id: string; readonly ms: number }>;
  progress(id: string): Promise<Progress>;
  untilStatus(id: string, ...statuses: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** The edge options, through a port that may be a proxy's; the distribution is named by each request. */
export function serveFlags({ flags }: EdgeCaches, port: number): string[] {
  const pairs = flags.map((flag, at) => (flags[at - 1] === '--edge-port' ? String(port) : flag));
  return pairs.filter((flag, at) => flag !== '--domain' && pairs[at - 1] !== '--domain');
}

export async function startServedApi(context: BenchContext, flags: readonly string[], name: string): Promise<ServedApi> {
  const args = [MAIN, 'serve', '--json', '--port', '0', '--data-dir', join(context.dir, name), ...flags];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PREWARM_API_KEY: API_KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the server ended at its start: ${said}`);
  });
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])) as [string];
  ended.catch(() => {});
  const { url } = JSON.parse(line) as { url: string };
  const headers = { 'x-api-key': API_KEY };
  const progress = async (id: string) => (await (await fetch(`${url}/prewarm?req_id=${id}`, { headers })).json()) as Progress;
  return {
    url,
    pid: child.pid ?? 0,
    async submit(body) {
      const text = JSON.stringify(body);
      const start = performance.now();
      const response = await fetch(`${url}/prewarm`, { method: 'POST', headers, body: text });
      const { request_id: id } = (await response.json()) as { request_id?: string };
      const ms = performance.now() - start;
      if (id === undefined) throw new Error(`the request was refused with ${response.status}`);
      return { id, ms };
    },
    progress,
    async untilStatus(id, ...statuses) {
      while (!statuses.includes((await progress(id)).status)) await sleep(20);
    },
    async close() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
