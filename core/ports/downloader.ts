import type { EdgeAddress } from '../pops/address.ts';
import type { Header } from '../request/request.ts';

/** Why no complete answer came. `truncated`: headers came, the body did not end as announced. `protocol`: what came is not HTTP. */
export type AskError = 'connection' | 'tls' | 'timeout' | 'truncated' | 'protocol' | 'address_refused' | 'cancelled';

/** One HTTP request to one address of a POP; Host and SNI are those of the URL. */
export interface Ask {
  readonly method: 'GET' | 'HEAD';
  /** A normalised http(s) URL. */
  readonly url: string;
  readonly address: EdgeAddress;
  readonly headers: readonly Header[];
  /** Ask for this one byte only (`Range: bytes=n-n`); absent: the whole object. */
  readonly byteAt?: number;
  /** Longest wait for the answer's headers, milliseconds; absent: the downloader's own. */
  readonly firstByteMs?: number;
  readonly scope: AskScope;
}

/**
 * What an edge answered. Edge faults are values, never rejections. Strings are '' where the header was absent.
 * When `error` is set the other fields tell what had been received until then (`status` 0: no headers).
 */
export interface Answer {
  readonly error: AskError | null;
  readonly status: number;
  /** `x-cache`, as received; several lines are joined by commas. */
  readonly xCache: string;
  /** `x-amz-cf-pop`, as received; several lines are joined by commas. */
  readonly servedBy: string;
  readonly etag: string;
  readonly contentEncoding: string;
  readonly cacheControl: string;
  /** `content-length`; -1: absent or not a number. */
  readonly contentLength: number;
  /** Total length told by `content-range` of a 206; -1: absent or `*`. */
  readonly rangeTotal: number;
  /** Body bytes read from the wire. */
  readonly bodyBytes: number;
  /** From sending to the response headers, milliseconds; -1: no headers came. */
  readonly ttfbMs: number;
  /** From asking (connecting included) to the end, milliseconds. */
  readonly totalMs: number;
  /** For a TCP connection to stand, milliseconds; -1: the connection was used before. Absent: not told. */
  readonly tcpMs?: number;
  /** For the TLS handshake after it, milliseconds; -1: used before, or there is none. Absent: not told. */
  readonly tlsMs?: number;
  /** `x-amzn-waf-action`, as received: AWS WAF answered with a challenge or captcha. Absent: so was the header. */
  readonly wafAction?: string | undefined;
  /** `x-connection`, as received: what an origin may tell of the connection it was asked on. Absent: not told. */
  readonly xConnection?: string;
  /** `server-timing`, as received; several lines are joined by commas. Absent: not told. */
  readonly serverTiming?: string;
  /** `x-amz-cf-id`, as received. Absent: not told. */
  readonly requestId?: string;
  /** What happened, in a few words for people: a system or parser code, which time was over, where a redirect leads. '' or absent: nothing to tell. */
  readonly cause?: string;
  /** How long a refusal (429, 5xx) asks to wait, milliseconds, by its `Retry-After`. 0 or absent: it does not ask. */
  readonly retryAfterMs?: number;
  /** No connection to the address came to stand. */
  readonly unreached?: boolean;
}

/** The asks that belong together (one task): cancelled together, and their body bytes counted as they arrive. */
export interface AskScope {
  readonly cancelled: boolean;
  /** Body bytes read so far by all asks of this scope, unfinished ones included. */
  bytes: number;
  /** Called by the downloader; the returned function takes the registration back. */
  onCancel(cancel: () => void): () => void;
}

/** Sends an ask to a pinned address, reads the whole body without keeping it. Retries nothing, follows nothing. */
export interface Downloader {
  ask(ask: Ask): Promise<Answer>;
  close(): Promise<void>;
}
