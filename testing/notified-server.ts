import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { createEdgeCertificates } from '../simulator/edge-certificates.ts';

export interface NotifiedServer {
  /** `https://localhost:PORT/hook?secret=hush`. */
  readonly url: string;
  readonly port: number;
  readonly caPem: string;
  /** Bodies as they came. */
  readonly bodies: unknown[];
}

/** Listens to notifications over TLS; `answers` says with which status, by turns, the last one for all further (null: never). */
export async function openNotifiedServer(answers: readonly (number | null)[] = [204]): Promise<NotifiedServer> {
  const { caPem, leaf } = await createEdgeCertificates(['localhost']);
  const bodies: unknown[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const status = answers[Math.min(bodies.length, answers.length - 1)];
    bodies.push(JSON.parse(await text(request)));
    if (status !== null) response.writeHead(status ?? 204, { location: 'https://localhost/elsewhere' }).end('an answer');
  };
  const server = createServer(leaf, (request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}/hook?secret=hush`, port, caPem, bodies };
}
