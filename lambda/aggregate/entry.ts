import { systemClock } from '../../core/clock.ts';
import { aggregateTasks } from '../../core/pipeline/aggregate-tasks.ts';
import { createContext } from '../../core/pipeline/pipeline-context.ts';
import { createAggregateHandler } from './aggregate-handler.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { lazyEndingPorts } from '../lazy-ports.ts';
import { openRequestStore } from '../ports/request-store.ts';

const config = loadFunctionConfig(process.env, ENDING);
const instruments = createInstruments('aggregate', config);
const context = createContext({ ...lazyEndingPorts(config), store: openRequestStore(config), clock: systemClock });

export const handler = instrument(
  instruments,
  createAggregateHandler({ ...instruments, pipeline: { aggregate: (records) => aggregateTasks(context, records) } }),
);
