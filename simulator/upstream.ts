import { type RangeSpec, resolveRange } from './byte-range.ts';

/** What is asked of a tier: a whole object, or one range of it. */
export interface Want {
  readonly key: string;
  readonly object: string;
  readonly range: RangeSpec | null;
  /** The asker holds this version and only wants to know whether it is still the current one. */
  readonly ifNoneMatch: string | null;
}

/** An answer without its body: bodies are made where they are sent, and never stored. */
export interface AnswerMeta {
  readonly status: number;
  readonly size: number;
  readonly etag: string;
  readonly cacheControl: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly location: string;
  /** Sent without content-length. */
  readonly chunked: boolean;
  /** Further headers of the origin's. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A cache of CloudFront: the POP's own, the regional one behind it, Origin Shield. */
export type Layer = 'edge' | 'regional' | 'shield';

/** Where an answer came from. */
export interface Source {
  /** The cache that had it; `origin`: none did. */
  readonly layer: Layer | 'origin';
  /** The cache's copy was stale, and the tier above said that it still holds. */
  readonly refreshed: boolean;
  /** The cache that asked the origin; null: none did. */
  readonly askedBy: Layer | null;
  /** For the connection to the origin to stand, milliseconds; 0: there was one. */
  readonly connectMs: number;
}

/** What the tier that was asked found in its own cache. */
export type Found = 'hit' | 'miss' | 'refresh';

export interface Looked {
  readonly meta: AnswerMeta;
  readonly found: Found;
  readonly source: Source;
  /** When the origin sent it or last confirmed it. */
  readonly fetchedAt: number;
}

/** An answer whose body is on its way to whoever asked. */
export interface Opened extends Looked {
  /** There is no body: `ifNoneMatch` is still current. */
  readonly notModified: boolean;
  /** A range may be answered by the whole object, which is then what is on its way. */
  readonly sends: 'whole' | 'range';
  /**
   * To be called once, when the body has been delivered in full or its delivery has ended otherwise. Only what was
   * delivered is stored; the function returned takes that back.
   */
  settle(delivered: boolean): () => void;
}

/** A tier as the one below it sees it. */
export interface Upstream {
  open(want: Want): Promise<Opened>;
  /** Headers only; stores nothing anywhere. */
  head(want: Want): Promise<Looked>;
}

/** Body bytes that `opened` is about. */
export function bytesOnTheWay(opened: Opened, want: Want): number {
  if (opened.notModified) return 0;
  if (opened.sends === 'whole' || want.range === null) return opened.meta.size;
  const range = resolveRange(want.range, opened.meta.size);
  return range === null ? 0 : range.end - range.start + 1;
}
