import type { PipelinePorts } from '../ports/ports.ts';

/** What bounds one step; the defaults suit a real CloudFront, a Lambda function and one machine alike. */
export interface PipelineOptions {
  /** URLs sized by one call of `advance`. */
  readonly shareUrls?: number;
  /** Bytes of the list sized by one call of `advance`. */
  readonly shareBytes?: number;
  /** A share of sizing takes no further URLs after this long; what it has got stays. */
  readonly shareMs?: number;
  readonly headsInFlight?: number;
  /** A POP is given up for sizing once so many HEADs, and most of those asked, went without an answer. */
  readonly silentHeads?: number;
  /** Tasks enqueued or recorded by one call of `advance`. */
  readonly shareTasks?: number;
  /** Pauses between looks at an invalidation: before the second look, the third, and all others. */
  readonly invalidationPollsMs?: readonly [first: number, second: number, others: number];
}

/** What a step works with. `Port` names the ports that the step needs, so that a caller without one of them does not compile. */
export interface PipelineContext<Port extends keyof PipelinePorts = keyof PipelinePorts> {
  readonly ports: Pick<PipelinePorts, Port>;
  readonly limits: Required<PipelineOptions>;
  /** What this process is doing for a request and must stop when it ends. */
  readonly running: Map<string, Set<() => void>>;
}

/** What a caller of `advance` does next: call it again at once, or in some time, or no more, since whoever won a race goes on. */
export type Next = { readonly next: 'now' } | { readonly next: 'later'; readonly inMs: number } | { readonly next: 'nothing' };

export const NOW: Next = { next: 'now' };
export const NOTHING: Next = { next: 'nothing' };

/** What follows a conditional change of the row: the next share if the change was made, nothing if somebody else came first. */
export const nextAfter = (isChanged: boolean): Next => (isChanged ? NOW : NOTHING);

const DEFAULT_LIMITS: Required<PipelineOptions> = {
  shareUrls: 5000,
  shareBytes: 8 * 1024 * 1024,
  shareMs: 60_000,
  headsInFlight: 64,
  silentHeads: 24,
  shareTasks: 10_000,
  invalidationPollsMs: [3000, 10_000, 30_000],
};

/** The ports that ending a request takes. */
export type EndingPort = 'store' | 'fleet' | 'timers' | 'events' | 'clock';

export function createContext<Port extends keyof PipelinePorts>(
  ports: Pick<PipelinePorts, Port>,
  options: PipelineOptions = {},
): PipelineContext<Port> {
  return { ports, limits: { ...DEFAULT_LIMITS, ...options }, running: new Map() };
}

/** Breaks off what this process is doing for any request; a later step does it again. */
export function haltAll({ running }: Pick<PipelineContext, 'running'>): void {
  for (const stops of running.values()) for (const stop of stops) stop();
}

/** Registers what stops a piece of work; the returned function takes it back. */
export function stopOnEnd(context: Pick<PipelineContext, 'running'>, id: string, stop: () => void): () => void {
  const stops = context.running.get(id) ?? new Set();
  context.running.set(id, stops);
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size === 0) context.running.delete(id);
  };
}
