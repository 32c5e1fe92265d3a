/** Makes sure that what is scheduled for a minute is done by one invocation only, however often it is delivered. */
export interface MinuteClaims {
  /** True for the first that claims this minute (of the epoch) under this key. Throws PrewarmError. */
  claim(key: string, minute: number): Promise<boolean>;
}
