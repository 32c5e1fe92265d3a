import type { Clock } from '../../core/clock.ts';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { FunctionMetrics } from '../function-metrics.ts';

/** Counts the requests that are made; one that is answered again for its idempotency key was made before. */
export function countAccepted<Steps extends Pick<Pipeline, 'accept'>>(
  pipeline: Steps,
  { metrics, clock }: { readonly metrics: Pick<FunctionMetrics, 'add'>; readonly clock: Pick<Clock, 'now'> },
): Steps {
  return {
    ...pipeline,
    async accept(request) {
      const askedAt = clock.now();
      const row = await pipeline.accept(request);
      if (row.createdAt >= askedAt) metrics.add('RequestsAccepted', 1);
      return row;
    },
  };
}
