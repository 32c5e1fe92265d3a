import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import { ABSENT_PORTS } from '../absent-ports.ts';
import { createAdvanceHandler } from '../advance-handler.ts';
import type { RequestMessage } from '../event-records.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import {
  lazyDownloader,
  lazyEndingPorts,
  lazyInvalidations,
  lazyListStore,
  lazyQueue,
  lazyResolver,
  lazyViewerHeaders,
} from '../lazy-ports.ts';
import { openRequestStore } from '../ports/request-store.ts';

const config = loadFunctionConfig(process.env, [...ENDING, 'bucket', 'sizeQueueUrl', 'edge']);
const instruments = createInstruments('get-size', config);
const store = openRequestStore(config);

export const handler = instrument(
  instruments,
  createAdvanceHandler({
    store,
    pipeline: createPipeline({
      ...ABSENT_PORTS,
      ...lazyEndingPorts(config),
      store,
      lists: lazyListStore(config),
      viewerHeaders: lazyViewerHeaders(config),
      invalidations: lazyInvalidations(),
      resolver: lazyResolver(config),
      downloader: lazyDownloader(config),
    }),
    goOn: lazyQueue<RequestMessage>(config.sizeQueueUrl),
    statuses: ['CREATED', 'INVALIDATING', 'SIZING'],
    log: instruments.log,
  }),
);
