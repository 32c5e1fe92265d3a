/** Figures of a result object, small enough for S3 metadata (2 KB in all). */
export type ResultMetadata = Readonly<Record<string, string>>;

/** Lists and results by key (`requests/<id>/urls.csv`). Keys are made by core/keys.ts only, so they are safe as paths. */
export interface ListStore {
  /** Writes or replaces the object as a whole; a reader never sees half of it. Returns its length in bytes. */
  put(key: string, chunks: Iterable<string> | AsyncIterable<string>): Promise<number>;
  /** Bytes `start` to `end` (exclusive); the whole object without a range. Throws PrewarmError `not_found`. */
  read(key: string, range?: { readonly start: number; readonly end?: number }): AsyncIterable<Uint8Array>;
  /** Writes a result if there is none yet. `existing` is the metadata of the one that was first; null: this one was. */
  putResult(key: string, body: string, metadata: ResultMetadata): Promise<{ readonly existing: ResultMetadata | null }>;
  resultMetadata(key: string): Promise<ResultMetadata | null>;
  /** The body as written. Throws PrewarmError `not_found`. */
  readResult(key: string): AsyncIterable<Uint8Array>;
}
