import { systemClock } from '../../core/clock.ts';
import { recordDead } from '../../core/pipeline/record-failures.ts';
import { createDeadLetterHandler } from './dead-letter-handler.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { createListStore, openRequestStore } from '../pipeline-ports.ts';

const config = loadFunctionConfig(process.env, ['tables', 'bucket']);
const instruments = createInstruments('dead-letter', config);
const ports = { store: openRequestStore(config), lists: createListStore(config), clock: systemClock };

export const handler = instrument(
  instruments,
  createDeadLetterHandler({ pipeline: { recordDead: (message) => recordDead(ports, message) }, log: instruments.log }),
);
