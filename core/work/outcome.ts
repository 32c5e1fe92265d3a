/** What happened to one target. */
export type Outcome = 'warmed' | 'already_warm' | 'failed';

/** Stable codes of why a target failed; scripts rely on them. */
export type Reason =
  | `status_${number}`
  | 'not_cached'
  /** Its path was refused when it was to be invalidated, so that an old copy may be what is cached. */
  | 'not_invalidated'
  | 'no_cache_header'
  | 'generated'
  | 'error_page'
  | 'challenged'
  | 'truncated'
  | 'timeout'
  | 'connection'
  | 'protocol'
  | 'tls'
  | 'wrong_pop'
  | 'pop_unresolvable'
  | 'address_refused'
  | 'too_large'
  | 'exhausted'
  | 'stopped';

/** CloudFront caches no object above 50 GB. */
export const MAX_OBJECT_BYTES = 50_000_000_000;
