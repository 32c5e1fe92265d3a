import { once } from 'node:events';
import { createServer } from 'node:net';

/** A TCP port of `ip` that nothing listens on, until somebody takes it. */
export async function freePort(ip = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, ip);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}
