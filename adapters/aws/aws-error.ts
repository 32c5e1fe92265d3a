import { PrewarmError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/failures.ts';

/** What the message and code of a failed call depend on, beside the SDK's error itself. */
export interface AwsCall {
  /** If absent, the error itself decides: `throttled`, `denied`, `unavailable`, and `storage` for everything else. */
  readonly code?: ErrorCode;
  /** Permissions that the call needs (`s3:PutObject`), for services whose refusal does not name them. */
  readonly permissions?: string;
  /** Remedies by the SDK's error name, before those that hold for every service. */
  readonly remedies?: Readonly<Record<string, string>>;
  /** Remedy for all other errors. */
  readonly otherwise?: string;
}

/** By error name without its suffix: one error is `X`, `XException` or `XError`, depending on the service's protocol. */
const CREDENTIALS: ReadonlySet<string> = new Set([
  'CredentialsProvider',
  'ExpiredToken',
  'InvalidClientTokenId',
  'InvalidAccessKeyId',
  'InvalidSignature',
  'MissingAuthenticationToken',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
  'UnrecognizedClient',
]);
const DENIED: ReadonlySet<string> = new Set(['AccessDenied', 'AccessDeniedByPolicy', 'Authorization', 'NotAuthorized', 'Forbidden']);
const THROTTLED: ReadonlySet<string> = new Set([
  'BandwidthLimitExceeded',
  'LimitExceeded',
  'OverLimit',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
  'RequestThrottled',
  'ResourceContention',
  'SlowDown',
  'ThrottledRequest',
  'Throttling',
  'TooManyRequests',
]);
const MISSING: ReadonlySet<string> = new Set([
  'AWS.SimpleQueueService.NonExistentQueue',
  'NoSuchBucket',
  'NoSuchKey',
  'NotFound',
  'QueueDoesNotExist',
  'ResourceNotFound',
]);
const UNREACHABLE = /^(ECONN|ENOTFOUND|EAI_AGAIN|EPIPE|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)/;

/** The SDK's name of an error; '' for what is no Error. */
export function awsErrorName(cause: unknown): string {
  return cause instanceof Error ? cause.name : '';
}

function statusOf(cause: unknown): number {
  if (!(cause instanceof Error) || !('$metadata' in cause)) return 0;
  return (cause.$metadata as { readonly httpStatusCode?: number } | undefined)?.httpStatusCode ?? 0;
}

function isHttpError(cause: unknown, status: number): boolean {
  return statusOf(cause) === status;
}

/** Whether there were no credentials, or they are wrong or have expired. */
export function isCredentialsError(cause: unknown): boolean {
  return CREDENTIALS.has(plainName(cause));
}

/** Whether waiting helps: too many calls at the moment. */
function isThrottling(cause: unknown): boolean {
  return THROTTLED.has(plainName(cause)) || isHttpError(cause, 429);
}

function plainName(cause: unknown): string {
  return awsErrorName(cause).replace(/(Exception|Error|Fault)$/, '');
}

/** Whether the same call may well succeed later: too many calls, a fault of the service, or no way to it. */
export function isPassing(cause: unknown): boolean {
  return isThrottling(cause) || statusOf(cause) >= 500 || isUnreachable(cause);
}

function isUnreachable(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return UNREACHABLE.test(code) || awsErrorName(cause) === 'TimeoutError';
}

function isDenied(cause: unknown): boolean {
  return DENIED.has(plainName(cause)) || isHttpError(cause, 403);
}

function codeFor(cause: unknown): ErrorCode {
  if (isCredentialsError(cause) || isDenied(cause)) return 'denied';
  if (isThrottling(cause)) return 'throttled';
  return isPassing(cause) ? 'unavailable' : 'storage';
}

/** AWS says in most services which action was refused, and to whom. */
function deniedRemedy(message: string, call: AwsCall): string {
  const action = /not authorized to perform:? ([a-z0-9-]+:\w+)/i.exec(message)?.[1];
  return `allow ${action ?? call.permissions ?? 'the action'} to the role or user that this program runs as`;
}

function remedyFor(cause: unknown, message: string, call: AwsCall): string {
  const own = call.remedies?.[awsErrorName(cause)];
  if (own !== undefined) return own;
  if (isCredentialsError(cause)) return 'give this machine working AWS credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, or an instance role)';
  if (isDenied(cause)) return deniedRemedy(message, call);
  if (isThrottling(cause)) return 'AWS takes no more calls of this kind at the moment; try again in a minute, or raise the quota';
  if (MISSING.has(plainName(cause)))
    return 'it is not there under this name in this account and region; check the configuration, or deploy the stack';
  if (isUnreachable(cause)) return 'AWS could not be reached; check the network, the region and the endpoints';
  return call.otherwise ?? 'try again';
}

/**
 * Makes a PrewarmError whose message names what was being done, the SDK's error and a remedy. Its code is the call's own,
 * or says what kind of failure this is. The SDK's error is its cause. A PrewarmError is given back as it is.
 */
export function translateAwsError(doing: string, cause: unknown, call: AwsCall = {}): PrewarmError {
  if (cause instanceof PrewarmError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const what = cause instanceof Error ? `${cause.name}: ${message}` : message;
  return new PrewarmError(call.code ?? codeFor(cause), `${doing}: ${what}; ${remedyFor(cause, message, call)}`, { cause });
}

/** Runs `action`; what it throws is translated by `translateAwsError`. */
export async function attempt<T>(doing: string, action: () => Promise<T>, call: AwsCall = {}): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw translateAwsError(doing, cause, call);
  }
}
