import type { AskError } from '../ports/downloader.ts';

/** One request and how long each part of it took. Milliseconds; -1: it did not come to that, or was not needed. */
export interface TimingSample {
  /** When it was sent, milliseconds since the epoch. */
  readonly at: number;
  readonly url: string;
  /** The POP it was sent through; '': wherever DNS leads. */
  readonly pop: string;
  /** `ip:port`; '': there was none. */
  readonly address: string;
  readonly error: AskError | 'dns' | null;
  /** What is wrong, in words; '' where nothing is. */
  readonly detail: string;
  /** 0: no answer. */
  readonly status: number;
  /** Looking the address up. */
  readonly dnsMs: number;
  readonly tcpMs: number;
  readonly tlsMs: number;
  /** From sending the request to its first byte: what the edge and the origin behind it take, and one round trip to the edge. */
  readonly waitMs: number;
  /** From the very start to the first byte: what a viewer waits. */
  readonly firstByteMs: number;
  /** From the very start to the end of the body. */
  readonly totalMs: number;
  readonly bytes: number;
  readonly xCache: string;
  readonly servedBy: string;
  /** `x-amz-cf-id`, by which AWS finds a request. */
  readonly requestId: string;
  /** `x-connection`: what the origin says of the connection it was asked on. */
  readonly xConnection: string;
  /** `server-timing`, as received. */
  readonly serverTiming: string;
}
