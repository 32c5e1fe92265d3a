import { z } from 'zod';
import { PrewarmError } from '../../core/errors.ts';
import type { Invalidations } from '../../core/ports/invalidations.ts';

const ANSWER_TIMEOUT_MS = 30_000;

const answerSchema = z.object({ id: z.string().min(1), status: z.enum(['InProgress', 'Completed']) });

type EdgeInvalidation = z.infer<typeof answerSchema>;

interface EdgeReply {
  readonly status: number;
  readonly text: string;
}

function failure(url: string, what: string, cause?: unknown): PrewarmError {
  return new PrewarmError('invalidation', `${url}: ${what}; is this the simulated edge's --invalidation-endpoint?`, { cause });
}

function busy(url: string, what: string, cause?: unknown): PrewarmError {
  return new PrewarmError('invalidation_busy', `${url}: ${what}; it is asked again`, { cause });
}

const shown = (text: string) => text.slice(0, 200);

/** Throws where the answer is none, or one that is to be had again later. */
async function askEdge(url: string, init: RequestInit): Promise<EdgeReply> {
  let reply: EdgeReply;
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    reply = { status: response.status, text: await response.text() };
  } catch (cause) {
    throw busy(url, 'no answer', cause);
  }
  const { status, text } = reply;
  if (status === 429 || status >= 500) throw busy(url, `status ${status}: ${shown(text)}`);
  return reply;
}

function readInvalidation(url: string, { status, text }: EdgeReply): EdgeInvalidation {
  if (status < 200 || status > 299) throw failure(url, `status ${status}: ${shown(text)}`);
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw failure(url, `not an invalidation: ${shown(text)}`, cause);
  }
}

/** Invalidates at the simulated edge (`http://host:port`), which knows one distribution only: the domain is not told. */
export function createEdgeInvalidations(endpoint: string): Invalidations {
  const base = `${endpoint.replace(/\/+$/, '')}/invalidations`;
  return {
    async create(_domain, callerReference, paths) {
      const body = JSON.stringify({ callerReference, paths });
      const reply = await askEdge(base, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (reply.status === 400) return { refused: shown(reply.text) };
      const { id } = readInvalidation(base, reply);
      return { id };
    },
    async isComplete(_domain, invalidationId) {
      const url = `${base}/${encodeURIComponent(invalidationId)}`;
      const { status } = readInvalidation(url, await askEdge(url, {}));
      return status === 'Completed';
    },
  };
}
