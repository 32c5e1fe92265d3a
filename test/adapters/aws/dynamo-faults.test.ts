import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { createDynamoRequestStore } from '../../../adapters/aws/dynamo-request-store.ts';
import { type Clock, systemClock } from '../../../core/clock.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import { planOf, popRow, requestRow, T0, taskRow } from '../../../testing/request-rows.ts';
import { createTables } from '../../../testing/aws-account/dynamo-test-tables.ts';
import { type Decide, type FaultyDynamo, startFaultyDynamo } from './faulty-dynamo.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const ID = 'r1';
const POPS = ['SIN2-P1', 'FRA56-P4'];

/** Pauses take a fiftieth of their time. */
const hurried: Clock = { now: () => systemClock.now(), after: (ms, fn) => systemClock.after(ms / 50, fn) };

describeWithAccount('A DynamoDB that fails now and then', (account) => {
  async function withFaults(
    decide: Decide,
    use: (store: RequestStore, dynamo: FaultyDynamo) => Promise<void>,
    maxAttempts = 1,
  ): Promise<void> {
    const direct = new DynamoDBClient(account().client);
    const dynamo = await startFaultyDynamo(account().endpoint, decide);
    // The SDK tries once only, so that what is seen is not its own doing.
    const client = new DynamoDBClient({ ...account().client, endpoint: dynamo.endpoint, maxAttempts });
    try {
      await use(createDynamoRequestStore({ client, clock: hurried, tables: await createTables(direct) }), dynamo);
    } finally {
      client.destroy();
      direct.destroy();
      await dynamo.close();
    }
  }

  /** Every method once or more, each answering as if there were no faults. */
  async function liveThrough(store: RequestStore): Promise<void> {
    const tasks = Array.from({ length: 30 }, (_, slice) => taskRow(ID, POPS[slice % 2] ?? '', slice, { warmed: 2, edge_bytes: 5 }));
    const rows = POPS.map((pop) => popRow(ID, pop));
    expect(await store.create(requestRow(ID))).toBe(true);
    expect(await store.setRequestClaim(ID, 3)).toBe(true);
    expect(await store.setTimeoutAt(ID, T0 + 5)).toBe(true);
    expect(await store.transition(ID, 'CREATED', 'SIZING', T0)).toBe(true);
    expect(await store.saveSizing(ID, 0, { parts: 1, offset: 9, rows: 1, failedRows: 0, bytes: 1, done: true }, T0)).toBe(true);
    expect(await store.transition(ID, 'SIZING', 'QUEUEING', T0)).toBe(true);
    expect(await store.fixPlan(ID, planOf(POPS, { totalCount: 60 }), rows, T0)).toMatchObject({ totalCount: 60 });
    expect(await store.transition(ID, 'QUEUEING', 'IN_PROGRESS', T0)).toBe(true);
    for (const task of tasks) expect(await store.putTask(task)).toBe(true);
    const ids = tasks.map(({ taskId }) => taskId);
    for (let first = 0; first < 30; first += 5) await store.countTasks(ID, ids.slice(first, first + 10), T0);
    expect((await store.get(ID))?.counters).toEqual({ warmed: 60, edge_bytes: 150 });
    expect((await store.listPops(ID)).map(({ counters }) => counters)).toEqual(POPS.map(() => ({ warmed: 30, edge_bytes: 75 })));
    const claim = { key: 'k', fingerprint: 'f', requestId: ID, lapsesAt: T0 + 5 };
    expect(await store.claimIdempotencyKey(claim, T0)).toEqual(claim);
    expect(await store.end(ID, 'FINISHED', { ifAccounted: 60, ifTotal: 60, stopped: 0, statusReason: null, at: T0 })).toBe(true);
    expect(await store.get(ID)).toMatchObject({ status: 'FINISHED', timeoutAt: T0 + 5, spec: { agents: 3 } });
    expect(await store.listActive()).toEqual([]);
  }

  it('the request store loses and doubles nothing when every third call is throttled', async () => {
    await withFaults(
      (_, nth) => (nth % 3 === 1 ? 'throttled' : null),
      async (store, { happened }) => {
        await liveThrough(store);
        expect(happened.throttled).toBeGreaterThan(20);
      },
    );
  });

  it('the request store answers truly when the answers of every second call are lost after the work', async () => {
    await withFaults(
      (_, nth) => (nth % 2 === 1 ? 'lost answer' : null),
      async (store, { happened }) => {
        await liveThrough(store);
        expect(happened['lost answer']).toBeGreaterThan(30);
      },
    );
  });

  it("the request store answers truly when the SDK's own tries follow a lost answer", async () => {
    await withFaults((_, nth) => (nth % 2 === 1 ? 'lost answer' : null), liveThrough, 3);
  });

  it('the request store writes again what conflicted with another transaction', async () => {
    await withFaults(
      (operation, nth) => (operation === 'TransactWriteItems' && nth % 3 !== 0 ? 'conflict' : null),
      async (store, { happened }) => {
        await liveThrough(store);
        expect(happened.conflict).toBeGreaterThan(20);
      },
    );
  });

  it('the request store reads on where batches leave keys unread', async () => {
    await withFaults(
      (operation) => (operation === 'BatchGetItem' ? 'half' : null),
      async (store, { happened }) => {
        await liveThrough(store);
        const ids = Array.from({ length: 40 }, (_, n) => `many${n}`);
        await Promise.all(ids.map((id) => store.create(requestRow(id))));
        expect((await store.listActive()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
        expect((await store.list(100)).requests).toHaveLength(41);
        expect(happened.half).toBeGreaterThan(20);
      },
    );
  });

  it('the request store gives up a call that is throttled for ever, and says so', async () => {
    await withFaults(
      () => 'throttled',
      async (store, { happened }) => {
        const failure = { code: 'throttled', message: expect.stringContaining('try again'), cause: { name: 'ThrottlingException' } };
        await expect(store.putTask(taskRow(ID, 'SIN2-P1', 1, { warmed: 1 }))).rejects.toMatchObject(failure);
        expect(happened.throttled).toBeGreaterThan(5);
        await expect(store.countTasks(ID, ['SIN2-P1#0#1'], T0)).rejects.toMatchObject(failure);
        await expect(store.create(requestRow(ID))).rejects.toMatchObject(failure);
      },
    );
  });
});
