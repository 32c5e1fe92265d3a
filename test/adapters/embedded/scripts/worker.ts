/** Works the queue of a data directory until it stays empty: result, row, accounting of whatever the outbox holds. */
import { openEmbeddedStores } from '../../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../../core/clock.ts';
import type { Counters } from '../../../../core/work/counters.ts';
import { recordTask } from '../../../../core/work/record-task.ts';

const [dir = ''] = process.argv.slice(2);
const stores = openEmbeddedStores(dir, systemClock, { holder: createHolder() });
const { store, lists, tasks, outbox } = stores;
console.log('ready');

let received = 0;
for (;;) {
  const batch = await tasks.receive(5, 500);
  if (batch.length === 0) break;
  for (const { message, receipt } of batch) {
    const figures: Record<string, number> = { warmed: message.slice.rows, edge_bytes: 1000, 'first.80': message.slice.rows };
    await recordTask({ lists, store, clock: systemClock }, message, `${message.taskId}\n`, figures as Counters);
    await tasks.delete(receipt);
    received += 1;
  }
  // Every worker counts what it finds, so that several count the same tasks at once.
  const told = outbox.take('task', 80);
  await store.countTasks(
    'r1',
    told.flatMap((record) => record.taskId ?? []),
    systemClock.now(),
  );
  outbox.acknowledge(told.map((record) => record.sequence));
}
stores.close();
console.log(received);
