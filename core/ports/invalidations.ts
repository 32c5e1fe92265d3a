/** An invalidation's id, or what was said when at least one of the paths was refused, so that nothing was created. */
export type CreatedInvalidation = { readonly id: string } | { readonly refused: string };

/**
 * Invalidations of one distribution. Creating the same batch again answers the same invalidation. Both throw PrewarmError
 * `invalidation_busy` where asking again later helps, and `invalidation` where it does not; neither waits by itself.
 */
export interface Invalidations {
  /** At most 3,000 distinct paths (with their query strings). */
  create(domain: string | null, callerReference: string, paths: readonly string[]): Promise<CreatedInvalidation>;
  isComplete(domain: string | null, invalidationId: string): Promise<boolean>;
}
