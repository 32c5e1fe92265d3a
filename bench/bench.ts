/** What every bench is given. */
export interface BenchContext {
  /** A few seconds a bench, to see that it works: its figures mean nothing. */
  readonly quick: boolean;
  /** Interleaved runs of each side; the median counts. */
  readonly rounds: number;
  /** A temporary directory for what the benches write; gone afterwards. */
  readonly dir: string;
  /** Progress, for people: standard error. */
  say(text: string): void;
}

export interface Bench {
  readonly name: string;
  readonly title: string;
  /** Returns Markdown: a table, and what has to be known to read it. Throws when what was measured did not do its work. */
  run(context: BenchContext): Promise<string>;
}
