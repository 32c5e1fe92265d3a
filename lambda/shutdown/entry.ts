import { systemClock } from '../../core/clock.ts';
import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import type { TaskMessage } from '../../core/work/task.ts';
import { ABSENT_PORTS } from '../absent-ports.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { lazyEndingPorts, lazyQueue } from '../lazy-ports.ts';
import { openRequestStore } from '../ports/request-store.ts';
import { createShutdownHandler } from './shutdown-handler.ts';

const config = loadFunctionConfig(process.env, [...ENDING, 'taskQueueUrl']);
const instruments = createInstruments('shutdown', config);
const store = openRequestStore(config);
const ending = lazyEndingPorts(config);
const tasks = lazyQueue<TaskMessage>(config.taskQueueUrl);

export const handler = instrument(
  instruments,
  createShutdownHandler({
    ...instruments,
    store,
    pipeline: createPipeline({ ...ABSENT_PORTS, ...ending, store, tasks }),
    tasks,
    instances: ending.fleet,
    clock: systemClock,
  }),
);
