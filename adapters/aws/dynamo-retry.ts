import { type CancellationReason, ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../core/clock.ts';
import { retry, type RetryPlan } from '../../core/retry.ts';
import { awsErrorName, isThrottling } from './aws-error.ts';
import { jitteredPause } from './batch-retry.ts';

/**
 * Around the SDK's own tries, which know neither conflicts of transactions nor items left over. With these pauses between
 * 4 and 7 seconds in all: a transaction whose answer was lost may be in progress for 5.
 */
export const MAX_TRIES = 12;
export const FIRST_PAUSE_MS = 25;
export const LONGEST_PAUSE_MS = 1000;

const PASSING: ReadonlySet<string> = new Set([
  'InternalServerError',
  'ReplicatedWriteConflictException',
  'TimeoutError',
  'TransactionConflictException',
  'TransactionInProgressException',
]);
const PASSING_REASONS: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
  'TransactionConflict',
  'RequestLimitExceeded',
]);
const PASSING_SOCKET_ERROR = /^(ECONN|EPIPE|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/;

function reasonsOf(error: TransactionCanceledException): readonly CancellationReason[] {
  return (error.CancellationReasons ?? []).filter(({ Code: code }) => code !== undefined && code !== 'None');
}

/** Whether a condition did not hold: an answer, not a failure. */
export function isConditionFailure(error: unknown): error is ConditionalCheckFailedException | TransactionCanceledException {
  if (error instanceof ConditionalCheckFailedException) return true;
  return error instanceof TransactionCanceledException && reasonsOf(error).some(({ Code: code }) => code === 'ConditionalCheckFailed');
}

/** Whether the same call, idempotent as it is, may succeed in a moment. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof TransactionCanceledException) {
    const reasons = reasonsOf(error);
    return reasons.length > 0 && reasons.every(({ Code: code = '' }) => PASSING_REASONS.has(code));
  }
  if (isThrottling(error) || PASSING.has(awsErrorName(error))) return true;
  const { code, $metadata } = error as { code?: unknown; $metadata?: { httpStatusCode?: number } };
  return ($metadata?.httpStatusCode ?? 0) >= 500 || PASSING_SOCKET_ERROR.test(String(code));
}

const PLAN: RetryPlan = {
  tries: MAX_TRIES,
  pauseMs: (tried) => jitteredPause(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  mayPass: isPassing,
};

/** Runs an idempotent call until it succeeds, or fails with something that does not pass, or for the last time. */
export function retrying<T>(clock: Clock, action: () => Promise<T>): Promise<T> {
  return retry(clock, PLAN, action);
}
