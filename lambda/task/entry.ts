import { systemClock } from '../../core/clock.ts';
import { advanceFromQueueing } from '../../core/pipeline/advance-request.ts';
import { endRequest } from '../../core/pipeline/end-request.ts';
import { createContext, haltAll } from '../../core/pipeline/pipeline-context.ts';
import type { TaskMessage } from '../../core/work/task.ts';
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

/** Those of a POP that takes no downloads are recorded one by one, some 30 ms each: a share is over within a minute all the same. */
const SHARE_TASKS = 2000;

const config = loadFunctionConfig(process.env, [...ENDING, 'bucket', 'taskQueueUrl', 'planQueueUrl', 'edge']);
const instruments = createInstruments('task', config);
const store = openRequestStore(config);
const tasks = createQueue<TaskMessage>(config.taskQueueUrl, ({ requestId }) => requestId);
const context = createContext(
  {
    ...createEndingPorts(config),
    store,
    tasks,
    lists: createListStore(config),
    viewerHeaders: createViewerHeaders(config),
    resolver: createResolver(config),
    clock: systemClock,
  },
  { shareTasks: SHARE_TASKS },
);

export const handler = instrument(
  instruments,
  createAdvanceHandler({
    store,
    pipeline: {
      advance: (id) => advanceFromQueueing(context, id),
      end: (id, status, reason) => endRequest(context, id, status, reason),
      halt: () => haltAll(context),
    },
    goOn: createQueue<RequestMessage>(config.planQueueUrl),
    // The last step is the end of a request that has nothing to download.
    statuses: ['QUEUEING', 'IN_PROGRESS'],
    log: instruments.log,
  }),
);
