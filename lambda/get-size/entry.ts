import { systemClock } from '../../core/clock.ts';
import { advanceToQueueing } from '../../core/pipeline/advance-request.ts';
import { endRequest } from '../../core/pipeline/end-request.ts';
import { createContext, haltAll } from '../../core/pipeline/pipeline-context.ts';
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
const context = createContext({
  ...lazyEndingPorts(config),
  store,
  lists: lazyListStore(config),
  viewerHeaders: lazyViewerHeaders(config),
  invalidations: lazyInvalidations(),
  resolver: lazyResolver(config),
  downloader: lazyDownloader(config),
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
    goOn: lazyQueue<RequestMessage>(config.sizeQueueUrl),
    statuses: ['CREATED', 'INVALIDATING', 'SIZING'],
    log: instruments.log,
  }),
);
