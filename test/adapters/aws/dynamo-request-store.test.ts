import { type ConsumedCapacity, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDynamoRequestStore } from '../../../adapters/aws/dynamo-request-store.ts';
import { ROW_LIFETIME_DAYS, TTL_ATTRIBUTE } from '../../../deployment/tables.ts';
import { systemClock } from '../../../core/clock.ts';
import { accounted, addCounters, type Counters, NO_COUNTERS } from '../../../core/work/counters.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { PopRow } from '../../../core/request/request.ts';
import { countRecorded, counters, planOf, popRow, requestRow, T0, taskRow } from '../../../testing/request-rows.ts';
import { describeRequestStore } from '../contracts/request-store.contract.ts';
import { createTables } from '../../../testing/aws-account/dynamo-test-tables.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const ID = 'r1';

function sumOf(rows: readonly { readonly counters: Counters }[]): Counters {
  const sum = {};
  for (const row of rows) addCounters(sum, row.counters);
  return sum as Counters;
}

/** Counts the request units of writes from here on, as DynamoDB answers them. Each call answers the units since the one before. */
function countWriteUnits(client: DynamoDBClient): () => number {
  let units = 0;
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const answer = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } });
        const { ConsumedCapacity: taken = [] } = answer.output as { ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] };
        const isRead = commandName === 'GetItemCommand' || commandName === 'BatchGetItemCommand' || commandName === 'QueryCommand';
        if (!isRead) for (const { CapacityUnits = 0 } of [taken].flat()) units += CapacityUnits;
        return answer;
      },
    { step: 'initialize' },
  );
  return () => {
    const taken = units;
    units = 0;
    return taken;
  };
}

describeWithAccount('On an emulated account', (account) => {
  let client: DynamoDBClient;
  beforeAll(() => {
    client = new DynamoDBClient(account().client);
  });
  afterAll(() => client.destroy());

  async function newStore(): Promise<RequestStore> {
    const tables = await createTables(client);
    return createDynamoRequestStore({ client, clock: systemClock, tables });
  }

  async function start(store: RequestStore, pops: readonly string[], totalCount: number): Promise<void> {
    await store.create(requestRow(ID, { status: 'QUEUEING' }));
    await store.fixPlan(
      ID,
      planOf(pops, { totalCount }),
      pops.map((pop) => popRow(ID, pop)),
      T0,
    );
    await store.transition(ID, 'QUEUEING', 'IN_PROGRESS', T0);
  }

  describeRequestStore('DynamoDB', async () => ({ store: await newStore() }));

  it('the request store counts overlapping tasks once each, however many count at the same time', async () => {
    const store = await newStore();
    const pops = ['SIN2-P1', 'FRA56-P4', 'GRU1-C2'];
    await start(store, pops, 1000);
    const tasks = pops.flatMap((pop) =>
      Array.from({ length: 20 }, (_, slice) => taskRow(ID, pop, slice, { warmed: slice + 1, edge_bytes: 7 })),
    );
    await Promise.all(tasks.map((task) => store.putTask(task)));
    const counts = Array.from({ length: 50 }, (_, first) => tasks.filter((_, at) => (at + first) % 60 < 12).map(({ taskId }) => taskId));
    await Promise.all(counts.map((ids) => store.countTasks(ID, ids, T0)));
    expect((await store.get(ID))?.counters).toEqual(sumOf(tasks));
    for (const { pop, counters } of await store.listPops(ID)) expect(counters).toEqual(sumOf(tasks.filter((task) => task.pop === pop)));
    expect(await countRecorded(store, ID)).toBe(tasks.length);
  });

  it('the request store accounts for every target once when a request is ended while tasks are being counted', async () => {
    const total = 40;
    for (let round = 0; round < 5; round++) {
      const store = await newStore();
      await start(store, ['SIN2-P1', 'FRA56-P4'], total);
      const tasks = Array.from({ length: 20 }, (_, slice) => taskRow(ID, slice % 2 === 0 ? 'SIN2-P1' : 'FRA56-P4', slice, { warmed: 2 }));
      await Promise.all(tasks.map((task) => store.putTask(task)));
      const end = async () => {
        for (;;) {
          const row = await store.get(ID);
          if (row === null || row.status !== 'IN_PROGRESS') return;
          const ifAccounted = accounted(row.counters);
          await store.end(ID, 'STOPPED', { ifAccounted, ifTotal: total, stopped: total - ifAccounted, statusReason: null, at: T0 });
        }
      };
      const counting = tasks.map(async ({ taskId }, at) => {
        if (at >= round * 4) await new Promise((resolve) => setTimeout(resolve, at));
        await store.countTasks(ID, [taskId], T0);
      });
      await Promise.all([...counting, end()]);
      const ended = await store.get(ID);
      const sum = sumOf(await store.listPops(ID));
      const stopped = ended?.counters['reason.stopped'] ?? 0;
      expect(ended?.status).toBe('STOPPED');
      expect(accounted(ended?.counters ?? NO_COUNTERS)).toBe(total);
      expect(accounted(sum) + stopped).toBe(total);
      const counted = [...(await store.countedTasks(ID, 'SIN2-P1')), ...(await store.countedTasks(ID, 'FRA56-P4'))];
      expect(counted.length * 2 + stopped).toBe(total);
      expect(await store.listActive()).toEqual([]);
    }
  });

  it('the request store holds one plan with exactly its own POPs when two planners differ, of hundreds of POPs each', async () => {
    const store = await newStore();
    await store.create(requestRow(ID, { status: 'QUEUEING' }));
    const plans = ['SIN', 'FRA', 'GRU'].map((airport, at) => {
      const pops = Array.from({ length: 450 + at * 100 }, (_, n) => `${airport}${n}-P1`);
      return { plan: planOf(pops, { totalCount: pops.length }), rows: pops.map((pop) => popRow(ID, pop, { totalCount: 1 })) };
    });
    const held = await Promise.all(plans.map(({ plan, rows }) => store.fixPlan(ID, plan, rows, T0)));
    const row = await store.get(ID);
    expect(held).toEqual([row?.plan, row?.plan, row?.plan]);
    const rows: readonly PopRow[] | undefined = plans.find(({ plan }) => plan.pops[0] === row?.plan?.pops[0])?.rows;
    expect(await store.listPops(ID)).toEqual(rows);
  });

  it('the request store counts more tasks than a transaction takes with their POPs, and more figures than an expression takes', async () => {
    const store = await newStore();
    const pops = Array.from({ length: 80 }, (_, n) => `SIN${n}-P1`);
    await start(store, pops, 1000);
    const everyBucket: Record<string, number> = { warmed: 1 };
    for (let bucket = 0; bucket <= 160; bucket++) Object.assign(everyBucket, { [`first.${bucket}`]: 1, [`last.${bucket}`]: 2 });
    for (let status = 400; status < 500; status++) everyBucket[`reason.status_${status}`] = 3;
    const tasks = pops.map((pop) => taskRow(ID, pop, 1, everyBucket));
    await Promise.all(tasks.map((task) => store.putTask(task)));
    const ids = tasks.map(({ taskId }) => taskId);
    const row = await store.countTasks(ID, ids, T0);
    expect(row?.counters).toEqual(sumOf(tasks));
    expect(await store.get(ID)).toEqual(row);
    expect((await store.listPops(ID)).find(({ pop }) => pop === 'SIN79-P1')?.counters).toEqual(everyBucket);
  });

  it('the request store takes one write unit to record a task of 500 targets, and two more for counting it among others', async () => {
    const takenUnits = countWriteUnits(client);
    const store = await newStore();
    await start(store, ['SIN2-P1'], 50_000);
    const figures: Record<string, number> = { warmed: 480, already_warm: 8, failed: 12, verified: 471, near: 3, separate: 1 };
    Object.assign(figures, { done_bytes: 123_456_789_012, edge_bytes: 234_567_890_123, attempts: 1502, 'reason.status_503': 12 });
    for (let bucket = 60; bucket < 100; bucket++) Object.assign(figures, { [`first.${bucket}`]: 12, [`last.${bucket}`]: 12 });
    const tasks = Array.from({ length: 80 }, (_, slice) => taskRow(ID, 'SIN2-P1', slice, figures));
    takenUnits();
    for (const task of tasks) await store.putTask(task);
    expect(takenUnits()).toBe(tasks.length);
    await store.countTasks(
      ID,
      tasks.map(({ taskId }) => taskId),
      T0,
    );
    // Two for each task; the request's row and the POP's have more than 1 KB.
    expect(takenUnits()).toBeLessThanOrEqual(tasks.length * 2 + 12);
  });

  it('the request store lets every item lapse, and shows a stream the status of a request', async () => {
    const tables = await createTables(client);
    const store = createDynamoRequestStore({ client, clock: { ...systemClock, now: () => T0 }, tables });
    await start(store, ['SIN2-P1'], 4);
    await store.putTask({ ...taskRow(ID, 'SIN2-P1', 1, { warmed: 1 }), recordedAt: T0 });
    await store.countTasks(ID, ['SIN2-P1#0#1'], T0);
    await store.putProvisional({ requestId: ID, agentId: 'a1', count: 1, bytes: 1, rate: 1, updatedAt: T0 });
    await store.setOperatorClaim({ agents: 1, lapsesAt: T0 });
    await store.claimIdempotencyKey({ key: 'k', fingerprint: 'f', requestId: ID, lapsesAt: T0 }, T0);
    const scans = await Promise.all(Object.values(tables).map((name) => client.send(new ScanCommand({ TableName: name }))));
    const items = scans.flatMap(({ Items = [] }) => Items);
    expect(items.map((item) => item[TTL_ATTRIBUTE]?.N)).toEqual(items.map(() => String(T0 / 1000 + ROW_LIFETIME_DAYS * 86_400)));
    expect(items).toHaveLength(8);
    expect(items.find((item) => item['id']?.S === ID)?.['status']).toEqual({ S: 'IN_PROGRESS' });
  });

  it('the request store says what it was doing and what to do when a table is missing', async () => {
    const store = createDynamoRequestStore({ client, clock: systemClock, tables: { requests: 'no-r', pops: 'no-p', tasks: 'no-t' } });
    const missing = { code: 'storage', message: expect.stringMatching(/r1: .*; .*check the configuration, or deploy the stack/) };
    await expect(store.get(ID)).rejects.toMatchObject({ ...missing, cause: { name: 'ResourceNotFoundException' } });
    await expect(store.create(requestRow(ID))).rejects.toMatchObject(missing);
    await expect(store.countTasks(ID, ['SIN2-P1#0#1'], T0)).rejects.toMatchObject(missing);
    await expect(store.putTask(taskRow(ID, 'SIN2-P1', 1, counters({ warmed: 1 })))).rejects.toMatchObject(missing);
  });
});
