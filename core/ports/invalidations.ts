/** Invalidations of one distribution. Creating the same batch again answers the same invalidation. Throws PrewarmError `invalidation`. */
export interface Invalidations {
  /** At most 3,000 paths (with their query strings). Returns the invalidation's id. */
  create(domain: string | null, callerReference: string, paths: readonly string[]): Promise<string>;
  isComplete(domain: string | null, invalidationId: string): Promise<boolean>;
}
