import type { z } from 'zod';
import { plainJson } from '../core/plain-text.ts';
import {
  acceptedAnswer,
  instancesAnswer,
  instancesChangedAnswer,
  type ProgressAnswer,
  progressAnswer,
  requestsAnswer,
  summaryAnswer,
} from './api-answers.ts';
import { ApiError, networkError, statusError, strangeAnswerError } from './api-error.ts';
import { isLoopback } from '../core/pops/address-policy.ts';
import { readTextLines } from '../core/text-lines.ts';

/** Where the API is and what opens it. */
export interface ApiAccess {
  /** With its base path, if it has one; a final slash makes no difference. */
  readonly endpoint: string;
  readonly apiKey: string;
}

/**
 * The HTTP API, one call a method, each asked once. Throws ApiError where there is no answer that can be used, and the
 * signal's reason when that is aborted.
 */
export interface ApiClient {
  /** `body` is JSON. The same key and body, sent again, answer the same request. */
  submit(body: string, idempotencyKey: string): Promise<z.output<typeof acceptedAnswer>>;
  progress(requestId: string, options?: { readonly pops: boolean }): Promise<ProgressAnswer>;
  /** Ends the request; answers what it had reached. */
  cancel(requestId: string): Promise<ProgressAnswer>;
  summary(requestId: string): Promise<z.output<typeof summaryAnswer>>;
  /** The lines of a report, by the link that the API answered. The key does not travel with it. Breaks off after `withinMs`, by default 20 s. */
  reportLines(link: string, withinMs?: number): AsyncGenerator<string>;
  instances(): Promise<z.output<typeof instancesAnswer>>;
  /** Of one request; null: the operator's claim, which lapses after an hour. */
  changeInstances(count: number, requestId: string | null): Promise<z.output<typeof instancesChangedAnswer>>;
  /** One page, newest first; `after` is the page before's `next`. */
  requests(limit: number, after: string | null): Promise<z.output<typeof requestsAnswer>>;
}

interface Call<Answer extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly answer: Answer;
  readonly query?: Readonly<Record<string, string>>;
  readonly requestId?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** API Gateway gives up after 29 s. */
const ANSWER_DEADLINE_MS = 35_000;
/** Nobody waits longer for the end of a command. */
const REPORT_DEADLINE_MS = 20_000;

/** Says so where the key would travel for all to read. */
function warnOfPlainHttp(endpoint: string): void {
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'http:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return;
  process.stderr.write(`prewarm: ${endpoint} is asked by http, so others on the way can read the key; use https there\n`);
}

export function createApiClient({ endpoint, apiKey }: ApiAccess, signal: AbortSignal): ApiClient {
  warnOfPlainHttp(endpoint);
  function urlOf(path: string, query: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(endpoint);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
    url.search = new URLSearchParams(query).toString();
    url.hash = '';
    return url;
  }

  async function ask<Answer extends z.ZodType>(call: Call<Answer>): Promise<z.output<Answer>> {
    const failed = { endpoint, name: `${call.method} ${call.path}`, requestId: call.requestId ?? null };
    let response: Response;
    let text: string;
    try {
      response = await fetch(urlOf(call.path, call.query), {
        method: call.method,
        headers: { accept: 'application/json', 'x-api-key': apiKey, ...call.headers },
        // A redirect would carry the key to another host.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_DEADLINE_MS)]),
        ...(call.body === undefined ? {} : { body: call.body }),
      });
      text = await response.text();
    } catch (error) {
      signal.throwIfAborted();
      throw networkError(failed, error);
    }
    if (response.status !== 200) throw statusError(failed, { status: response.status, location: response.headers.get('location'), text });
    return parseAnswer(call.answer, text, failed);
  }

  const json = { 'content-type': 'application/json' };
  const ofRequest = (requestId: string) => ({ requestId, query: { req_id: requestId } });
  return {
    submit: (body, idempotencyKey) =>
      ask({ method: 'POST', path: '/prewarm', answer: acceptedAnswer, body, headers: { ...json, 'Idempotency-Key': idempotencyKey } }),
    progress: (requestId, { pops } = { pops: false }) =>
      ask({
        method: 'GET',
        path: '/prewarm',
        answer: progressAnswer,
        requestId,
        query: { req_id: requestId, ...(pops ? { detail: 'pops' } : {}) },
      }),
    cancel: (requestId) => ask({ method: 'DELETE', path: '/prewarm', answer: progressAnswer, ...ofRequest(requestId) }),
    summary: (requestId) => ask({ method: 'GET', path: '/summary', answer: summaryAnswer, ...ofRequest(requestId) }),
    async *reportLines(link, withinMs = REPORT_DEADLINE_MS) {
      const failed = { endpoint, name: 'the report', requestId: null };
      try {
        const response = await fetch(link, {
          redirect: 'manual',
          signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
        });
        if (response.status !== 200 || response.body === null)
          throw statusError(failed, { status: response.status, location: null, text: '' });
        for await (const lines of readTextLines(response.body)) for (const { text } of lines) yield text;
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof ApiError ? error : networkError(failed, error);
      }
    },
    instances: () => ask({ method: 'GET', path: '/instances', answer: instancesAnswer, query: { detail: '1' } }),
    changeInstances(count, requestId) {
      const body = JSON.stringify({ DesiredCapacity: count, ...(requestId === null ? {} : { req_id: requestId }) });
      const about = requestId === null ? {} : { requestId };
      return ask({ method: 'POST', path: '/instances', answer: instancesChangedAnswer, body, headers: json, ...about });
    },
    requests: (limit, after) =>
      ask({
        method: 'GET',
        path: '/requests',
        answer: requestsAnswer,
        query: { limit: String(limit), ...(after === null ? {} : { after }) },
      }),
  };
}

function parseAnswer<Answer extends z.ZodType>(
  schema: Answer,
  text: string,
  call: Parameters<typeof strangeAnswerError>[0],
): z.output<Answer> {
  try {
    // Everything that is printed of an answer passes here.
    return schema.parse(plainJson(JSON.parse(text)));
  } catch (error) {
    throw strangeAnswerError(call, error);
  }
}
