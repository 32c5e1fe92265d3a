import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openEmbeddedStores } from '../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../core/clock.ts';
import { keys } from '../../../core/keys.ts';
import type { RequestRow } from '../../../core/request/request.ts';
import { planOf, popRow, requestRow, T0, taskRow } from '../../../testing/request-rows.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

const TASKS = 1201;
const HOUR = 3_600_000;

function open(dir = temporaryDir()) {
  const stores = openEmbeddedStores(dir, systemClock, { holder: createHolder() });
  onTestFinished(() => stores.close());
  return { dir, ...stores };
}

const ended = (id: string, at: number, change: Partial<RequestRow> = {}) => requestRow(id, { status: 'FINISHED', endedAt: at, ...change });

/** A request with rows in every table and files in every folder. */
async function fill({ store, tasks, timers, lists }: ReturnType<typeof open>, id: string): Promise<void> {
  await store.create(requestRow(id, { status: 'QUEUEING' }));
  await store.fixPlan(id, planOf(['SIN2-P1']), [popRow(id, 'SIN2-P1')], T0);
  for (let slice = 0; slice < TASKS; slice++) await store.putTask(taskRow(id, 'SIN2-P1', slice, { warmed: 1 }));
  await store.putProvisional({ requestId: id, agentId: 'a1', count: 1, bytes: 1, rate: 1, byteRate: 1, inFlight: 1, updatedAt: T0 });
  await store.claimIdempotencyKey({ key: `key-of-${id}`, fingerprint: 'f', requestId: id, lapsesAt: T0 }, T0 - 1);
  await timers.set(id, T0);
  await tasks.send([
    {
      requestId: id,
      taskId: 'SIN2-P1#0#1',
      pop: 'SIN2-P1',
      addresses: [],
      slice: { list: 'sized', index: 1, offset: 0, bytes: 1, rows: 1 },
    } as never,
  ]);
  await lists.put(keys.urls(id), ['https://www.example.com/a\n']);
  await lists.putResult(keys.failureReport(id), 'row\n', {});
}

function rowsOf(dir: string, id: string): Record<string, number> {
  const db = new DatabaseSync(join(dir, 'prewarm.db'));
  const count = (sql: string) => (db.prepare(sql).get(id) as { n: number }).n;
  const tables = ['pops', 'tasks', 'provisional', 'timers', 'outbox', 'idempotency'];
  const rows = Object.fromEntries(tables.map((table) => [table, count(`SELECT count(*) AS n FROM ${table} WHERE request_id = ?`)]));
  const all = {
    ...rows,
    requests: count('SELECT count(*) AS n FROM requests WHERE id = ?'),
    messages: count('SELECT count(*) AS n FROM messages WHERE fair_key = ?'),
  };
  db.close();
  return all;
}

const endNow = (dir: string, id: string, at: number) => {
  const db = new DatabaseSync(join(dir, 'prewarm.db'));
  db.prepare(`UPDATE requests SET status = 'FINISHED', ended_at = ? WHERE id = ?`).run(at, id);
  db.close();
};

test('a request that is deleted leaves no row and no file, and every other request keeps its own', async () => {
  const stores = open();
  await fill(stores, 'r1');
  await fill(stores, 'r2');
  const before = rowsOf(stores.dir, 'r2');
  expect(Object.values(rowsOf(stores.dir, 'r1')).every((rows) => rows > 0)).toBe(true);
  endNow(stores.dir, 'r1', T0);
  await stores.ended.remove('r1');
  expect(Object.values(rowsOf(stores.dir, 'r1')).every((rows) => rows === 0)).toBe(true);
  expect(rowsOf(stores.dir, 'r2')).toEqual(before);
  for (const folder of ['requests', 'reports']) expect(readdirSync(join(stores.dir, folder))).toEqual(['r2']);
  await stores.ended.remove('r1');
});

test('a request that has not ended is not deleted', async () => {
  const stores = open();
  await fill(stores, 'r1');
  const before = rowsOf(stores.dir, 'r1');
  await stores.ended.remove('r1');
  expect(rowsOf(stores.dir, 'r1')).toEqual(before);
  expect(existsSync(join(stores.dir, keys.urls('r1')))).toBe(true);
});

test('a deletion that breaks off in the middle is found again and finished, and asks for no notice meanwhile', async () => {
  const first = open();
  await fill(first, 'r1');
  endNow(first.dir, 'r1', T0);
  const removing = first.ended.remove('r1');
  await vi.waitFor(() => expect(existsSync(join(first.dir, keys.failureReport('r1')))).toBe(false), { interval: 1 });
  first.close();
  await expect(removing).rejects.toThrow('database is not open');
  const again = open(first.dir);
  const [found] = again.ended.before(T0 + 1, 10, null);
  expect(found).toEqual({ id: 'r1', endedAt: T0, notifies: false });
  await again.ended.remove('r1');
  expect(Object.values(rowsOf(first.dir, 'r1')).every((rows) => rows === 0)).toBe(true);
});

test('ended requests are listed by their end, page by page, up to a moment', async () => {
  const { store, ended: endedRequests } = open();
  await store.create(ended('b', T0 + HOUR));
  await store.create(ended('a', T0 + HOUR));
  const notifyUrl = 'https://hooks.example.com/hush';
  await store.create(ended('c', T0, { spec: { ...requestRow('c').spec, notifyUrl } }));
  await store.create(ended('d', T0 + 2 * HOUR));
  await store.create(requestRow('e'));
  const pages: string[][] = [];
  let page = endedRequests.before(T0 + 2 * HOUR, 2, null);
  expect(page.map(({ notifies }) => notifies)).toEqual([true, false]);
  for (; page.length > 0; page = endedRequests.before(T0 + 2 * HOUR, 2, page.at(-1) ?? null)) pages.push(page.map(({ id }) => id));
  expect(pages).toEqual([['c', 'a'], ['b']]);
});

test('requests that have ended with secrets of viewers are found until these are dropped, and no others', async () => {
  const { store, ended: endedRequests } = open();
  const secret = [
    {
      name: 'default',
      headers: [
        ['Accept', '*/*'],
        ['Authorization', 'Bearer token-1'],
      ] as const,
    },
  ];
  const withSecret = { ...requestRow('any').spec, variants: secret };
  await store.create(ended('r1', T0, { spec: withSecret }));
  await store.create(ended('r2', T0));
  await store.create(requestRow('r3', { spec: withSecret }));
  await store.create(ended('r4', T0, { spec: { ...withSecret, notifyUrl: 'https://hooks.example.com/hush' } }));
  await store.create(ended('r5', T0, { spec: withSecret }));
  expect(endedRequests.withSecrets(10, '')).toEqual(['r1', 'r5']);
  expect(endedRequests.withSecrets(1, 'r1')).toEqual(['r5']);
  await store.dropSecrets('r1');
  expect(endedRequests.withSecrets(10, '')).toEqual(['r5']);
});

test('the log is emptied as soon as the last reader of it is gone', async () => {
  const { dir, store, ended: endedRequests } = open();
  const log = join(dir, 'prewarm.db-wal');
  await store.create(ended('r1', T0, { statusReason: 'the secret of a viewer' }));
  const reader = new DatabaseSync(join(dir, 'prewarm.db'));
  reader.exec('BEGIN');
  reader.prepare('SELECT * FROM requests').all();
  await store.create(ended('r2', T0));
  endedRequests.emptyLog();
  expect(readFileSync(log).includes('the secret of a viewer')).toBe(true);
  reader.exec('COMMIT');
  reader.close();
  await vi.waitFor(() => expect(readFileSync(log)).toHaveLength(0), 5000);
});

test('an id that is no file name deletes nothing', async () => {
  const { dir, store, ended: endedRequests } = open();
  mkdirSync(join(dir, 'requests'), { recursive: true });
  writeFileSync(join(dir, 'requests', 'kept'), 'x');
  await store.create(ended('..', T0));
  await expect(endedRequests.remove('..')).rejects.toMatchObject({ code: 'storage' });
  expect(readdirSync(join(dir, 'requests'))).toEqual(['kept']);
});
