import { systemClock } from '../../core/clock.ts';
import { advanceToQueueing } from '../../core/pipeline/advance-request.ts';
import { endRequest } from '../../core/pipeline/end-request.ts';
import { createContext, haltAll } from '../../core/pipeline/pipeline-context.ts';
import type { Downloader } from '../../core/ports/downloader.ts';
import type { Invalidations } from '../../core/ports/invalidations.ts';
import { lazyPort } from '../../core/ports/lazy-port.ts';
import { createAdvanceHandler } from '../advance-handler.ts';
import type { RequestMessage } from '../event-records.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import {
  createEndingPorts,
  createListStore,
  createQueue,
  createResolver,
  createViewerHeaders,
  openRequestStore,
} from '../pipeline-ports.ts';

const config = loadFunctionConfig(process.env, [...ENDING, 'bucket', 'sizeQueueUrl', 'edge']);
const instruments = createInstruments('get-size', config);
const store = openRequestStore(config);
const { allowPrivateAddresses, ca } = config.edge;
const context = createContext({
  ...createEndingPorts(config),
  store,
  lists: createListStore(config),
  viewerHeaders: createViewerHeaders(config),
  invalidations: lazyPort<Invalidations>(async () => {
    const { createCloudFrontInvalidations } = await import('../../adapters/aws/cloudfront-invalidations.ts');
    return createCloudFrontInvalidations();
  }),
  resolver: createResolver(config),
  downloader: lazyPort<Downloader>(async () => {
    const { createUndiciDownloader } = await import('../../adapters/http/undici-downloader.ts');
    return createUndiciDownloader({ allowPrivateAddresses, ca });
  }),
  clock: systemClock,
});

export const handler = instrument(
  instruments,
  createAdvanceHandler({
    store,
    pipeline: {
      advance: (id) => advanceToQueueing(context, id),
      end: (id, status, reason) => endRequest(context, id, status, reason),
      halt: () => haltAll(context),
    },
    goOn: createQueue<RequestMessage>(config.sizeQueueUrl),
    statuses: ['CREATED', 'INVALIDATING', 'SIZING'],
    log: instruments.log,
  }),
);
