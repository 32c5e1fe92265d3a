/** An agent like the product's but for its patience: faults that are silence would take minutes to be told. */
import { createUndiciDownloader } from '../../../adapters/http/undici-downloader.ts';
import { runEmbeddedAgent } from '../../../agent/run-embedded-agent.ts';

await runEmbeddedAgent(({ ca, allowPrivateAddresses }) =>
  createUndiciDownloader({
    allowPrivateAddresses,
    connectTimeoutMs: 700,
    headersTimeoutMs: 1000,
    stallTimeoutMs: 1000,
    ...(ca === null ? {} : { ca }),
  }),
);
