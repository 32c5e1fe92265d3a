import { systemClock } from '../../core/clock.ts';
import { fireTimer } from '../../core/pipeline/end-request.ts';
import { createContext } from '../../core/pipeline/pipeline-context.ts';
import { reconcileFleet } from '../../core/pipeline/reconcile-fleet.ts';
import type { TaskMessage } from '../../core/work/task.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { createEndingPorts, createQueue, openRequestStore } from '../pipeline-ports.ts';
import { createShutdownHandler } from './shutdown-handler.ts';

const config = loadFunctionConfig(process.env, [...ENDING, 'taskQueueUrl']);
const instruments = createInstruments('shutdown', config);
const store = openRequestStore(config);
const ending = createEndingPorts(config);
const tasks = createQueue<TaskMessage>(config.taskQueueUrl);
const context = createContext({ ...ending, store, tasks, clock: systemClock });

export const handler = instrument(
  instruments,
  createShutdownHandler({
    ...instruments,
    store,
    pipeline: { fireTimer: (id) => fireTimer(context, id), reconcileFleet: () => reconcileFleet(context.ports) },
    tasks,
    instances: ending.fleet,
    clock: systemClock,
  }),
);
