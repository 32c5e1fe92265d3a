import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { describeFault, InvalidInput, PrewarmError } from '../core/errors.ts';
import type { ApiDeps } from './api-deps.ts';
import { BodyTooLarge } from './read-json-body.ts';

const MAX_FAULTS_TOLD = 20;

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

function tellFaults({ faults }: InvalidInput): string {
  const told = faults.slice(0, MAX_FAULTS_TOLD).map(describeFault);
  if (faults.length > told.length) told.push(`and ${faults.length - told.length} more`);
  return told.join('; ');
}

/** Turns what a handler threw into its answer; what nobody expected is logged and told without its details. */
export function answerFailure(error: Error, c: Context, log: ApiDeps['log']): Response {
  if (error instanceof InvalidInput) return c.json(failureBody(tellFaults(error), error.errorUrls), 400);
  if (error instanceof HTTPException) return c.json(failureBody(error.message), error.status);
  const status = error instanceof PrewarmError ? statusOf(error) : 500;
  if (status < 500) return c.json(failureBody(error.message), status);
  log.error({ err: error, path: c.req.path, method: c.req.method }, 'a request could not be answered');
  return c.json(failureBody(status === 503 ? error.message : 'an unexpected error; the log of the server tells more'), status);
}
