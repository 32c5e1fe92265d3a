import { systemClock } from '../../core/clock.ts';
import { aggregateTasks } from '../../core/pipeline/end-request.ts';
import { createContext } from '../../core/pipeline/pipeline-context.ts';
import { createAggregateHandler } from './aggregate-handler.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { createEndingPorts, openRequestStore } from '../pipeline-ports.ts';

const config = loadFunctionConfig(process.env, ENDING);
const instruments = createInstruments('aggregate', config);
const context = createContext({ ...createEndingPorts(config), store: openRequestStore(config), clock: systemClock });

export const handler = instrument(
  instruments,
  createAggregateHandler({ ...instruments, pipeline: { aggregate: (records) => aggregateTasks(context, records) } }),
);
