import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import { ABSENT_PORTS } from '../absent-ports.ts';
import { createAggregateHandler } from './aggregate-handler.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { lazyEndingPorts } from '../lazy-ports.ts';
import { openRequestStore } from '../ports/request-store.ts';

const config = loadFunctionConfig(process.env, ENDING);
const instruments = createInstruments('aggregate', config);
const pipeline = createPipeline({ ...ABSENT_PORTS, ...lazyEndingPorts(config), store: openRequestStore(config) });

export const handler = instrument(instruments, createAggregateHandler({ pipeline, ...instruments }));
