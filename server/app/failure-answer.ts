import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { InvalidInput, PrewarmError, tellFaults } from '../../core/errors.ts';
import type { ApiDeps } from './api-deps.ts';
import { BodyTooLarge } from './read-json-body.ts';

type FailureStatus = 400 | 404 | 405 | 409 | 413 | 500 | 503;

/** The body of every failure but a key's. */
export function failureBody(message: string, errorUrls: readonly string[] = []) {
  return { status: 'Failed' as const, error_message: message, error_urls: [...errorUrls] };
}

function statusOf(error: PrewarmError): FailureStatus {
  if (error instanceof BodyTooLarge) return 413;
  if (error.code === 'invalid_input') return 400;
  if (error.code === 'not_found') return 404;
  if (error.code === 'conflict') return 409;
  return error.code === 'storage' || error.code === 'storage_full' ? 503 : 500;
}

/** What a client is told of a failure inside: nothing of it. The log has the rest under the id. */
function insideFailure(status: FailureStatus, id: string): string {
  const what = status === 503 ? 'the storage does not work; nothing was lost, try again later' : 'an unexpected error';
  return `${what} (the log of the server tells more under ${id})`;
}

/** Turns what a handler threw into its answer. What went wrong inside is logged, and told without its details. */
export function answerFailure(error: Error, c: Context, { log, newId }: Pick<ApiDeps, 'log' | 'newId'>): Response {
  if (error instanceof InvalidInput) return c.json(failureBody(tellFaults(error.faults, error.omitted).join('; '), error.errorUrls), 400);
  if (error instanceof HTTPException && error.status < 500) return c.json(failureBody(error.message), error.status);
  const status = error instanceof PrewarmError ? statusOf(error) : 500;
  if (status < 500) return c.json(failureBody(error.message), status);
  const id = newId();
  log.error({ err: error, failure_id: id, path: c.req.path, method: c.req.method }, 'a request could not be answered');
  return c.json(failureBody(insideFailure(status, id)), status);
}
