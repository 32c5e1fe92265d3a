import { createUndiciDownloader } from '../../../../adapters/http/undici-downloader.ts';
import { runEmbeddedAgent } from '../../../../agent/run-embedded-agent.ts';
import { createHeadOnlyDownloader } from './lying-downloader.ts';

await runEmbeddedAgent(({ ca, allowPrivateAddresses }) => createHeadOnlyDownloader(createUndiciDownloader({ allowPrivateAddresses, ca })));
