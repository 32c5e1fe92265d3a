import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { InvalidInput, PrewarmError, tellFaults } from '../../core/errors.ts';
import { FAILURES } from '../../core/failures.ts';
import type { ApiDeps } from './api-deps.ts';

/** The body of every failure but a key's. */
export function failureBody(message: string, errorUrls: readonly string[] = []) {
  return { status: 'Failed' as const, error_message: message, error_urls: [...errorUrls] };
}

/** What a client is told of a failure inside: nothing of it. The log has the rest under the id. */
function insideFailure(status: number, id: string): string {
  const what = status === 503 ? 'the storage does not work; nothing was lost, try again later' : 'an unexpected error';
  return `${what} (the log of the server tells more under ${id})`;
}

/** Turns what a handler threw into its answer. What went wrong inside is logged, and told without its details. */
export function answerFailure(error: Error, c: Context, { log, newId }: Pick<ApiDeps, 'log' | 'newId'>): Response {
  if (error instanceof InvalidInput) return c.json(failureBody(tellFaults(error.faults, error.omitted).join('; '), error.errorUrls), 400);
  if (error instanceof HTTPException && error.status < 500) return c.json(failureBody(error.message), error.status);
  const facts = error instanceof PrewarmError ? FAILURES[error.code] : null;
  if (facts?.isPublic === true) return c.json(failureBody(error.message), facts.status);
  const status = facts?.status ?? 500;
  const id = newId();
  const { meaning, remedy } = facts ?? {};
  log.error({ err: error, failure_id: id, path: c.req.path, method: c.req.method, meaning, remedy }, 'a request could not be answered');
  return c.json(failureBody(insideFailure(status, id)), status);
}
