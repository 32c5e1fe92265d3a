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

export interface PipelineContext {
  readonly ports: PipelinePorts;
  readonly limits: Required<PipelineOptions>;
  /** What this process is doing for a request and must stop when it ends. */
  readonly running: Map<string, Set<() => void>>;
}

export const DEFAULT_LIMITS: Required<PipelineOptions> = {
  shareUrls: 5000,
  shareBytes: 8 * 1024 * 1024,
  shareMs: 60_000,
  headsInFlight: 64,
  silentHeads: 24,
  shareTasks: 10_000,
  invalidationPollsMs: [3000, 10_000, 30_000],
};

/** Registers what stops a piece of work; the returned function takes it back. */
export function stopOnEnd(context: PipelineContext, id: string, stop: () => void): () => void {
  const stops = context.running.get(id) ?? new Set();
  context.running.set(id, stops);
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size === 0) context.running.delete(id);
  };
}
