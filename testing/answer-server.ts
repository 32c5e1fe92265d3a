import { createServer } from 'node:http';

export interface ServerAnswer {
  readonly status: number;
  readonly body: string;
}

export interface AnswerServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly received: readonly { readonly request: string; readonly body: string }[];
  close(): Promise<void>;
}

/** An HTTP server on loopback that answers `METHOD /path` for the `nth` time (from 1). */
export async function openAnswerServer(answer: (request: string, nth: number) => ServerAnswer): Promise<AnswerServer> {
  const received: { request: string; body: string }[] = [];
  const server = createServer((req, res) => {
    const request = `${req.method} ${req.url}`;
    let text = '';
    req.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    req.on('end', () => {
      received.push({ request, body: text });
      const { status, body } = answer(request, received.filter((earlier) => earlier.request === request).length);
      res.writeHead(status, { location: '/elsewhere' }).end(body);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${bound.port}`,
    received,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
