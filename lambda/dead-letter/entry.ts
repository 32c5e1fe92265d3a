import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import { ABSENT_PORTS } from '../absent-ports.ts';
import { createDeadLetterHandler } from './dead-letter-handler.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { lazyListStore } from '../lazy-ports.ts';
import { openRequestStore } from '../ports/request-store.ts';

const config = loadFunctionConfig(process.env, ['tables', 'bucket']);
const instruments = createInstruments('dead-letter', config);
const pipeline = createPipeline({ ...ABSENT_PORTS, store: openRequestStore(config), lists: lazyListStore(config) });

export const handler = instrument(instruments, createDeadLetterHandler({ pipeline, log: instruments.log }));
