import { createEdgeInvalidations } from '../../../adapters/http/edge-invalidations.ts';
import { openInvalidationEndpoint } from '../../../simulator/invalidation-endpoint.ts';
import { createInvalidations } from '../../../simulator/invalidations.ts';
import { describeInvalidations } from '../contracts/invalidations.contract.ts';

describeInvalidations('The simulated edge', async () => {
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      setTimeout(resolve, ms);
    });
  const endpoint = await openInvalidationEndpoint(createInvalidations({ delayMs: 50, wait, apply: () => {} }));
  return { invalidations: createEdgeInvalidations(endpoint.url), domain: null, dispose: () => endpoint.close() };
});
