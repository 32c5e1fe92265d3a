import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import { freePort } from '../testing/free-port.ts';

const PROXY = fileURLToPath(new URL('./delay-proxy.ts', import.meta.url));

/** Puts the delaying proxy, a process of its own, before every address of the caches. `port` takes the place of theirs. */
export async function startDelayProxy(edge: EdgeCaches, roundTripMs: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const port = await freePort('127.0.1.1');
  const addresses = edge.caches.flatMap((cache) => cache.addresses).join(',');
  const args = [PROXY, addresses, String(port), String(edge.edgePort), String(roundTripMs)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await Promise.race([
    once(child.stdout, 'data'),
    closed.then(() => {
      throw new Error('the delaying proxy ended at its start');
    }),
  ]);
  return {
    port,
    async close() {
      child.stdin.end();
      await closed;
    },
  };
}
