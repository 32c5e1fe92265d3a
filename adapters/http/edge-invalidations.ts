import { z } from 'zod';
import { PrewarmError } from '../../core/errors.ts';
import type { Invalidations } from '../../core/ports/invalidations.ts';

const ANSWER_TIMEOUT_MS = 30_000;

const answerSchema = z.object({ id: z.string().min(1), status: z.enum(['InProgress', 'Completed']) });

type EdgeInvalidation = z.infer<typeof answerSchema>;

function failure(url: string, what: string, cause?: unknown): PrewarmError {
  return new PrewarmError('invalidation', `${url}: ${what}; is this the simulated edge's --invalidation-endpoint?`, { cause });
}

async function askEdge(url: string, init: RequestInit): Promise<EdgeInvalidation> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw failure(url, 'no answer', cause);
  }
  if (status < 200 || status > 299) throw failure(url, `status ${status}: ${text.slice(0, 200)}`);
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw failure(url, `not an invalidation: ${text.slice(0, 200)}`, cause);
  }
}

/** Invalidates at the simulated edge (`http://host:port`), which knows one distribution only: the domain is not told. */
export function createEdgeInvalidations(endpoint: string): Invalidations {
  const base = `${endpoint.replace(/\/+$/, '')}/invalidations`;
  return {
    async create(_domain, callerReference, paths) {
      const body = JSON.stringify({ callerReference, paths });
      const { id } = await askEdge(base, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return id;
    },
    async isComplete(_domain, invalidationId) {
      const { status } = await askEdge(`${base}/${encodeURIComponent(invalidationId)}`, {});
      return status === 'Completed';
    },
  };
}
