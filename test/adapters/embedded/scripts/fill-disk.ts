import { countRecorded } from '../../../../testing/request-rows.ts';
/** Records tasks until the disk takes no more, then tries a list and a result; tells what was kept and how each failed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedStores } from '../../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../../core/clock.ts';
import type { Counters } from '../../../../core/work/counters.ts';
import { PrewarmError } from '../../../../core/errors.ts';

const [dir = ''] = process.argv.slice(2);
const { store, lists, tasks } = openEmbeddedStores(dir, systemClock, { holder: createHolder() });

function describe(error: unknown) {
  return error instanceof PrewarmError ? { code: error.code, message: error.message } : { code: 'not ours', message: String(error) };
}

async function untilItFails(attempt: (round: number) => Promise<unknown>) {
  for (let round = 0; ; round++) {
    try {
      await attempt(round);
    } catch (error) {
      return { kept: round, ...describe(error) };
    }
  }
}

const long = 'x'.repeat(20_000);
const figures: Record<string, number> = { warmed: 1, [`reason.${long}`]: 1 };
const rows = await untilItFails((round) =>
  store.putTask({ requestId: 'r1', taskId: `SIN2-P1#0#${round}`, pop: 'SIN2-P1', counters: figures as Counters, recordedAt: 0 }),
);
const list = await untilItFails((round) => lists.put(`requests/r1/list-${round}.csv`, Array(1000).fill(long)));
const result = await untilItFails((round) => lists.putResult(`requests/r1/results/${round}.csv`, long.repeat(1000), {}));
// Reading goes on, and so does an empty queue.
const recorded = await countRecorded(store, 'r1');
await tasks.receive(1, 0);
console.log(JSON.stringify({ rows, list, result, recorded, temporaries: readdirSync(join(dir, 'tmp')).length }));
