import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { SimulatedInvalidations } from './invalidations.ts';

export interface InvalidationEndpoint {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  close(): Promise<void>;
}

/** 3,000 paths of 8 KiB. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

const createBody = z.object({ callerReference: z.string().min(1), paths: z.array(z.string()) });

function reply(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

/** Null: too long. */
async function readBody(req: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Refused by the schema, with every other body that is no object.
  }
}

async function create(req: IncomingMessage, res: ServerResponse, invalidations: SimulatedInvalidations): Promise<void> {
  const text = await readBody(req);
  if (text === null) return reply(res, 413, { message: 'body too long' });
  const parsed = createBody.safeParse(parseJson(text));
  if (!parsed.success) return reply(res, 400, { message: z.prettifyError(parsed.error) });
  const created = invalidations.create(parsed.data.callerReference, parsed.data.paths);
  if (created.state === 'conflict') return reply(res, 409, { message: 'this callerReference was used with other paths' });
  if (created.state === 'refused') return reply(res, 400, { message: created.detail });
  reply(res, 201, created.invalidation);
}

async function route(req: IncomingMessage, res: ServerResponse, invalidations: SimulatedInvalidations): Promise<void> {
  const path = req.url ?? '/';
  if (path === '/invalidations' && req.method === 'POST') return create(req, res, invalidations);
  const id = req.method === 'GET' ? /^\/invalidations\/([A-Z0-9]+)$/.exec(path)?.[1] : undefined;
  const found = id === undefined ? null : invalidations.find(id);
  if (found === null) return reply(res, 404, { message: 'no such invalidation' });
  reply(res, 200, found);
}

/**
 * The invalidations over HTTP: `POST /invalidations {callerReference, paths}` answers 201 `{id, status}` (409: reference used
 * with other paths; 400: what is wrong), `GET /invalidations/<id>` 200 `{id, status: InProgress|Completed}`.
 */
export async function openInvalidationEndpoint(invalidations: SimulatedInvalidations, port = 0): Promise<InvalidationEndpoint> {
  const server = createServer((req, res) => {
    route(req, res, invalidations).catch((error: unknown) => {
      process.emitWarning(new Error('the simulated edge could not answer an invalidation', { cause: error }));
      res.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port for invalidations');
  return {
    url: `http://127.0.0.1:${bound.port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
