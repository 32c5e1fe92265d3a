import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A status and a body, text as it is and anything else as JSON; or null: the connection is cut before an answer. */
export type Scripted = { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> } | null;

export interface ApiStandIn {
  readonly url: string;
  /** What was asked, in order. */
  readonly asked: readonly Asked[];
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

function send(response: ServerResponse, scripted: Scripted): void {
  if (scripted === null) {
    response.destroy();
    return;
  }
  const { status, body, headers = {} } = scripted;
  response.writeHead(status, { 'content-type': typeof body === 'string' ? 'text/html' : 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Answers as told, call by call; for what the real server cannot be made to do. Ends with the test. */
export async function standIn(answer: (asked: Asked, nth: number) => Scripted): Promise<ApiStandIn> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      asked.push(one);
      send(response, answer(one, asked.length));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
