import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Answer, Ask, AskError } from '../../core/ports/downloader.ts';
import { formatAddress } from '../../core/pops/address.ts';
import { type AskPhase, classifyAskError, type CodedError, describeAskError, isReset } from './classify-ask-error.ts';
import type { ConnectionPool, ConnectionUser, EdgeConnection } from './connection-pool.ts';
import { awaitHead } from './edge-socket.ts';

/** Interim answers before the answer: each of them puts the time-out off, so there must be an end to them. */
const MAX_INTERIM_ANSWERS = 32;
const CONTENT_RANGE = /^bytes +(?:\d+-\d+|\*)\/(\d+)$/i;

/** A header that came several times is shown with all its values. */
function text(value: string | string[] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : value.join(', ');
}

function length(value: string | undefined): number {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : -1;
}

function nothing(): void {}

/** What is sent: made once per ask, used again when a stale connection makes it go out a second time. */
export type AskMessage = Dispatcher.DispatchOptions & { readonly headersTimeout: number; readonly bodyTimeout: number };

/** One ask on its way. A class for its fixed shape: thousands are made a second, and each is called for every chunk. */
export class Exchange implements Dispatcher.DispatchHandler, ConnectionUser {
  readonly message: AskMessage;
  readonly askedAt: number;
  settled = false;
  private readonly ask: Ask;
  private readonly pool: ConnectionPool;
  private readonly resolve: (answer: Answer) => void;
  private readonly reject: (error: Error) => void;
  private connection: EdgeConnection | null = null;
  private stopListening: () => void = nothing;
  private totalTimer: NodeJS.Timeout | undefined;
  private phase: AskPhase = 'connecting';
  private answerStarted = false;
  private onUsedConnection = false;
  private retried = false;
  private sentAt = 0;
  private ttfbMs = -1;
  private status = 0;
  private headers: IncomingHttpHeaders | null = null;
  private bodyBytes = 0;
  private interimAnswers = 0;

  constructor(
    ask: Ask,
    message: AskMessage,
    pool: ConnectionPool,
    resolve: (answer: Answer) => void,
    reject: (error: Error) => void,
    totalTimeoutMs: number | undefined,
  ) {
    this.ask = ask;
    this.message = message;
    this.pool = pool;
    this.resolve = resolve;
    this.reject = reject;
    this.askedAt = performance.now();
    if (totalTimeoutMs !== undefined) this.totalTimer = setTimeout(() => this.settle('timeout', false, null), totalTimeoutMs);
    this.stopListening = ask.scope.onCancel(() => this.cancel());
  }

  runOn(connection: EdgeConnection): void {
    this.connection = connection;
    connection.client.dispatch(this.message, this);
  }

  cancel(): void {
    if (!this.settled) this.settle('cancelled', false, null);
  }

  onRequestStart(): void {
    this.phase = 'sent';
    this.answerStarted = false;
    this.onUsedConnection = this.connection !== null && this.connection.served > 0;
    this.sentAt = performance.now();
    if (this.connection !== null) awaitHead(this.connection.head);
  }

  onResponseStarted(): void {
    this.answerStarted = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) {
      if (++this.interimAnswers > MAX_INTERIM_ANSWERS && !this.settled)
        this.settle('protocol', false, new Error(`more than ${MAX_INTERIM_ANSWERS} interim answers`));
      return;
    }
    this.phase = 'answering';
    this.ttfbMs = performance.now() - this.sentAt;
    this.status = status;
    this.headers = headers;
    if (this.connection !== null) this.connection.inPlainBody = headers['transfer-encoding'] === undefined;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bodyBytes += chunk.length;
    this.ask.scope.bytes += chunk.length;
  }

  onResponseEnd(): void {
    if (this.settled) return;
    if (this.connection !== null) this.connection.inPlainBody = false;
    // undici takes a reset for the end of a body that only the close delimits.
    const reset = this.connection?.failed === true;
    this.settle(reset ? 'truncated' : null, !reset, null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: CodedError): void {
    if (this.settled) return;
    if (error.code === 'UND_ERR_INVALID_ARG') {
      this.settle('connection', false, error, true);
      return;
    }
    if (this.connection !== null && this.wasStale(error)) {
      this.retried = true;
      this.phase = 'connecting';
      this.runOn(this.pool.replace(this.connection));
      return;
    }
    this.settle(classifyAskError(error, this.phase), false, error);
  }

  /** The edge closed an idle connection just as it was used again: no fault of the edge's, as long as it had said nothing. */
  private wasStale(error: Error): boolean {
    return !this.retried && this.onUsedConnection && this.phase === 'sent' && !this.answerStarted && isReset(error);
  }

  private settle(error: AskError | null, reusable: boolean, cause: CodedError | null, isAskersFault = false): void {
    this.settled = true;
    this.stopListening();
    if (this.totalTimer !== undefined) clearTimeout(this.totalTimer);
    if (isAskersFault && cause !== null) this.reject(cause);
    else this.resolve(this.answer(error, cause));
    const connection = this.connection;
    if (connection === null) return;
    this.connection = null;
    if (reusable) this.pool.release(connection);
    else this.pool.discard(connection);
  }

  private answer(error: AskError | null, cause: CodedError | null): Answer {
    const headers = this.headers ?? {};
    const wafAction = headers['x-amzn-waf-action'];
    const opened = this.onUsedConnection ? null : this.connection;
    const range = this.status === 206 ? CONTENT_RANGE.exec(text(headers['content-range'])) : null;
    return {
      error,
      status: this.status,
      xCache: text(headers['x-cache']),
      servedBy: text(headers['x-amz-cf-pop']),
      etag: text(headers.etag),
      contentEncoding: text(headers['content-encoding']),
      cacheControl: text(headers['cache-control']),
      contentLength: length(headers['content-length']),
      rangeTotal: length(range?.[1]),
      bodyBytes: this.bodyBytes,
      ttfbMs: this.ttfbMs,
      totalMs: performance.now() - this.askedAt,
      tcpMs: opened === null ? -1 : opened.tcpMs,
      tlsMs: opened === null ? -1 : opened.tlsMs,
      wafAction: wafAction === undefined ? undefined : text(wafAction),
      xConnection: text(headers['x-connection']),
      serverTiming: text(headers['server-timing']),
      requestId: text(headers['x-amz-cf-id']),
      cause: error === null ? this.redirect(headers) : this.describe(error, cause),
      retryAfterMs: this.status === 429 || this.status >= 500 ? this.retryAfter(headers) : 0,
      unreached: error !== null && error !== 'cancelled' && this.connection !== null && this.phase === 'connecting',
    };
  }

  private redirect(headers: IncomingHttpHeaders): string {
    const isRedirect = this.status >= 300 && this.status < 400 && headers.location !== undefined;
    return isRedirect ? `location: ${text(headers.location)}` : '';
  }

  private retryAfter(headers: IncomingHttpHeaders): number {
    const value = text(headers['retry-after']);
    return value === '' ? 0 : parseRetryAfter(value, text(headers.date), Date.now());
  }

  private describe(error: AskError, cause: CodedError | null): string {
    const { ip, port, httpPort } = this.ask.address;
    return describeAskError(cause, {
      error,
      phase: this.phase,
      address: formatAddress(ip, this.ask.url.startsWith('https:') ? port : httpPort),
      bodyBytes: this.bodyBytes,
      contentLength: length(this.headers?.['content-length']),
      firstByteMs: this.message.headersTimeout,
      stallMs: this.message.bodyTimeout,
    });
  }
}

const HTTP_DATE = /^[A-Za-z]{3,9},? .+ \d{1,2}:\d{2}:\d{2}/;

/**
 * How long a `Retry-After` asks to wait, milliseconds; 0: it asks for nothing that can be waited for (absent, in the past, or neither a number of
 * seconds nor a date). A date is compared with the answer's own `Date`, where it has one, so that a wrong clock on either side does no harm.
 */
export function parseRetryAfter(value: string, date: string, now: number): number {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!HTTP_DATE.test(text)) return 0;
  const sentAt = HTTP_DATE.test(date.trim()) ? Date.parse(date.trim()) : Number.NaN;
  const wait = Date.parse(text) - (Number.isNaN(sentAt) ? now : sentAt);
  return Math.max(wait, 0);
}
