/** An agent like the product's but for its patience: faults that are silence would take minutes to be told. */
import { createUndiciDownloader } from '../../../../adapters/http/undici-downloader.ts';
import { runEmbeddedAgent } from '../../../../agent/run-embedded-agent.ts';

await runEmbeddedAgent(({ ca, allowPrivateAddresses }) =>
  createUndiciDownloader({
    allowPrivateAddresses,
    connectTimeoutMs: 3000,
    headersTimeoutMs: 3000,
    stallTimeoutMs: 3000,
    ...(ca === null ? {} : { ca }),
  }),
);
