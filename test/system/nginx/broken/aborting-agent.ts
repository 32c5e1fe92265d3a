import { createUndiciDownloader } from '../../../../adapters/http/undici-downloader.ts';
import { runEmbeddedAgent } from '../../../../agent/run-embedded-agent.ts';
import { createAbortingDownloader } from './lying-downloader.ts';

await runEmbeddedAgent(({ ca, allowPrivateAddresses }) => createAbortingDownloader(createUndiciDownloader({ allowPrivateAddresses, ca })));
