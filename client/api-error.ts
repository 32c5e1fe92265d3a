import { z } from 'zod';
import { PrewarmError } from '../core/errors.ts';
import type { ErrorCode } from '../core/failures.ts';
import { plainText } from '../core/plain-text.ts';

/** A call of the API without an answer that can be used. The message is one line and says what to do. */
export class ApiError extends PrewarmError {
  /** Asking again later may help. */
  readonly isPassing: boolean;
  /** No connection was made, so the call cannot have done anything. */
  readonly isUnsent: boolean;

  constructor(code: ErrorCode, message: string, options: { isPassing?: boolean; isUnsent?: boolean; cause?: unknown } = {}) {
    super(code, message, { cause: options.cause });
    this.name = 'ApiError';
    this.isPassing = options.isPassing ?? false;
    this.isUnsent = options.isUnsent ?? false;
  }
}

/** The call that went wrong. */
export interface FailedCall {
  /** As the user gave it. */
  readonly endpoint: string;
  /** `POST /prewarm` */
  readonly name: string;
  /** The request it is about; null: none. */
  readonly requestId: string | null;
}

const MAX_MESSAGE = 4000;
const UNSENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];
const TLS_CODE = /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_/;

const failure = z.object({ error_message: z.string() });
const gatewayFailure = z.object({ message: z.string() });

/** Text from outside on one line that a terminal can show. */
function shown(text: string): string {
  return plainText(
    text
      .slice(0, MAX_MESSAGE)
      .replace(/\p{Cc}+/gu, ' ')
      .trim(),
  );
}

/** What stopped a call before its answer was there: `cause` is fetch's. */
export function networkError(call: FailedCall, cause: unknown): ApiError {
  if (cause instanceof DOMException && cause.name === 'TimeoutError') {
    return new ApiError('api_failed', `${call.endpoint} did not answer ${call.name} in time`, { isPassing: true, cause });
  }
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = inner instanceof Error && 'code' in inner && typeof inner.code === 'string' ? inner.code : shown(String(inner));
  if (TLS_CODE.test(code)) {
    const remedy = 'where its certificate is your own, name the authority in NODE_EXTRA_CA_CERTS';
    return new ApiError('api_failed', `${call.endpoint} cannot be trusted (${code}); ${remedy}`, { isUnsent: true, cause });
  }
  const isUnsent = UNSENT.includes(code);
  const message = isUnsent
    ? `${call.endpoint} cannot be reached (${code}); is --endpoint right, and the server running?`
    : `${call.endpoint} broke off ${call.name} (${code})`;
  return new ApiError('api_failed', message, { isPassing: true, isUnsent, cause });
}

/** The API's own words in a failure; '' where the answer is not the API's. */
function messageIn(text: string): { readonly text: string; readonly isOwn: boolean } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { text: '', isOwn: false };
  }
  const own = failure.safeParse(body);
  if (own.success) return { text: shown(own.data.error_message), isOwn: true };
  const gateway = gatewayFailure.safeParse(body);
  return { text: gateway.success ? shown(gateway.data.message) : '', isOwn: false };
}

/** An answer with a status other than 200. */
export function statusError(call: FailedCall, answer: { status: number; location: string | null; text: string }): ApiError {
  const { endpoint } = call;
  const { status } = answer;
  const said = messageIn(answer.text);
  const because = said.text === '' ? '' : `: ${said.text}`;
  const refused = (message: string) => new ApiError('api_refused', message);
  const wrongPath = `${endpoint} has no ${call.name}; is --endpoint the API's address with its base path, as in https://HOST/prod?`;
  if (status === 403 && said.text === 'Missing Authentication Token') return refused(wrongPath);
  if (status === 401 || status === 403)
    return refused(`${endpoint} refused the key; give the right one by PREWARM_API_KEY or --api-key (${status}${because})`);
  // The API answers its own unknown paths in the same form.
  const isAboutRequest = said.isOwn && call.requestId !== null && said.text.includes('req_id');
  if (status === 404) return refused(isAboutRequest ? `${endpoint} knows no request ${call.requestId}` : wrongPath);
  if (status === 409) return new ApiError('conflict', `${endpoint} cannot do that now${because}`);
  if (status === 413) return refused(`${endpoint} takes at most 5 MiB a request; split the list`);
  if (status >= 300 && status < 400)
    return refused(`${endpoint} points to ${shown(answer.location ?? 'another place')}; give that as --endpoint`);
  if (status === 429 || status >= 500)
    return new ApiError('api_failed', `${endpoint} failed at ${call.name} (${status}${because})`, { isPassing: true });
  return refused(`${endpoint} refused ${call.name} (${status}${because})`);
}

/** An answer of 200 that is none of the API's. */
export function strangeAnswerError(call: FailedCall, cause: unknown): ApiError {
  return new ApiError(
    'api_refused',
    `${call.endpoint} answered ${call.name} with something else than the API would; is --endpoint right?`,
    { cause },
  );
}
