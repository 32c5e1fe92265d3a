import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { createHolder } from '../../adapters/embedded/holder.ts';
import { openEmbeddedStores } from '../../adapters/embedded/embedded-stores.ts';
import { systemClock } from '../../core/clock.ts';
import { ask, hasEnded, newDataDir, objectUrls, openEdge, type Progress, progressOf, type Served, serve, submit, until } from './served.ts';

const POPS = ['SIN2-P1', 'FRA56-P4'];

/** Time passes: the request's timeout is at `at` (ms) from now on, as if it had been made so much earlier. */
async function moveTimeout(dataDir: string, id: string, at: number): Promise<void> {
  const stores = openEmbeddedStores(dataDir, systemClock, { holder: createHolder() });
  expect(await stores.store.setTimeoutAt(id, at)).toBe(true);
  await stores.timers.set(id, at);
  stores.close();
}

/** The sums of an ended request, and its report against them. */
async function expectExact(served: Served, id: string, total: number): Promise<Progress> {
  const progress = await progressOf(served, id);
  expect(progress.total_count).toBe(total);
  expect(progress.download_count + progress.failed_count).toBe(total);
  const { body } = await ask<{ failure_pop_urls_report: string }>(served, `/summary?req_id=${id}`);
  const csv = (await ask<string>(served, new URL(body.failure_pop_urls_report).pathname)).body;
  const rows = parse<Record<string, string>>(csv, { columns: true });
  expect(new Set(rows.map(({ url, pop }) => `${url} ${pop}`)).size).toBe(total);
  expect(rows.filter(({ outcome }) => outcome === 'failed')).toHaveLength(progress.failed_count);
  return progress;
}

describe('kill -9 of the whole tree', () => {
  test('a server killed with all its agents in the middle of several requests continues at the next start and ends them exactly', async () => {
    const { edge, flags } = await openEdge({ latencies: { edgeMs: 15 } });
    const options = [...flags, '--data-dir', newDataDir(), '--max-agents', '2', '--concurrency', '4'];
    let served = await serve(options);
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) ids.push(await submit(served, { url_list: objectUrls(60, name), pops: POPS, instance_count: 4 }));
    for (const gets of [30, 150, 300]) {
      while (edge.counters().edge.gets < gets) await sleep(10);
      await served.kill();
      served = await serve(options);
    }
    for (const id of ids) {
      await until(served, id, hasEnded);
      expect(await expectExact(served, id, 120)).toMatchObject({ status: 'FINISHED', download_count: 120, percentage_complete: 100 });
    }
    expect(await served.stop()).toBe(0);
  });

  test('a timer that fell due while the server was down fires at the next start', async () => {
    const { edge, flags } = await openEdge();
    edge.setFault({ path: '/o/1k/slow*', method: 'GET' }, { kind: 'stall', at: 'headers' });
    const dataDir = newDataDir();
    const first = await serve([...flags, '--data-dir', dataDir]);
    const id = await submit(first, { url_list: objectUrls(20, 'slow'), pops: POPS });
    await until(first, id, ({ status }) => status === 'IN_PROGRESS');
    await first.kill();
    await moveTimeout(dataDir, id, Date.now() - 1000);
    const second = await serve([...flags, '--data-dir', dataDir]);
    await until(second, id, hasEnded, 5000);
    expect(await expectExact(second, id, 40)).toMatchObject({
      status: 'TIMEOUT',
      status_reason: expect.stringMatching(/^not done within 30 minutes/),
      failed_count: 40,
    });
  });
});

test('requests time out and stop each on their own, and take only their own work with them', async () => {
  const { edge, flags } = await openEdge();
  edge.setFault({ path: '/o/1k/slow*', method: 'GET' }, { kind: 'stall', at: 'headers' });
  const dataDir = newDataDir();
  const served = await serve([...flags, '--data-dir', dataDir]);
  const start = (name: string) => submit(served, { url_list: objectUrls(8, `slow-${name}`), pops: POPS });
  const [soon, later, stopped] = [await start('soon'), await start('later'), await start('stopped')];
  for (const id of [soon, later, stopped]) await until(served, id, ({ status }) => status === 'IN_PROGRESS');
  const summary = await ask(served, `/summary?req_id=${soon}`);
  expect(summary).toMatchObject({ status: 409, body: { error_message: expect.stringContaining(soon) } });

  const now = Date.now();
  await moveTimeout(dataDir, soon, now + 1000);
  await moveTimeout(dataDir, later, now + 4000);
  const answer = await ask(served, '/instances', { body: { req_id: stopped, DesiredCapacity: 0, force_stop: true } });
  expect(answer).toMatchObject({
    status: 200,
    body: { status: 'success', message: 'Auto Scaling Group prewarm_asg_prod updated to Desired Capacity: 2' },
  });
  expect(await progressOf(served, stopped)).toMatchObject({ status: 'STOPPED', status_reason: 'stopped by default', failed_count: 16 });

  expect(await until(served, soon, hasEnded, 5000)).toMatchObject({ status: 'TIMEOUT' });
  expect(Date.now()).toBeGreaterThanOrEqual(now + 1000);
  expect(await progressOf(served, later)).toMatchObject({ status: 'IN_PROGRESS' });
  // What is asked for meanwhile is not held up by any of them.
  const quick = await submit(served, { url_list: objectUrls(5, 'quick'), pops: POPS });
  expect(await until(served, quick, hasEnded)).toMatchObject({ status: 'FINISHED', download_count: 10 });
  expect(await until(served, later, hasEnded, 8000)).toMatchObject({ status: 'TIMEOUT' });
  for (const id of [soon, later, stopped]) await expectExact(served, id, 16);
});

interface FleetAnswer {
  readonly desiredcapacity: number;
  readonly agents: readonly { readonly agent_id: string; readonly state: string; readonly in_flight: number }[];
}

/** The whole fleet, as soon as its agents have told of all downloads that stall. */
async function untilWorking(served: Served): Promise<FleetAnswer> {
  for (let waited = 0; ; waited += 200) {
    const { body } = await ask<FleetAnswer>(served, '/instances?detail=1');
    if (body.agents.reduce((sum, agent) => sum + agent.in_flight, 0) >= 8) return body;
    if (waited > 15_000) throw new Error(`no work is told of: ${JSON.stringify(body)}`);
    await sleep(200);
  }
}

test('the number of agents follows the claims during work, and the server replaces an agent that dies', async () => {
  const { edge, flags } = await openEdge();
  edge.setFault({ path: '/o/1k/slow*', method: 'GET' }, { kind: 'stall', at: 'headers' });
  const served = await serve([...flags, '--max-agents', '3']);
  const untilAgents = async (count: number) => {
    for (let waited = 0; served.agents().length !== count; waited += 20) {
      if (waited > 15_000) throw new Error(`${served.agents().length} agents, not ${count}`);
      await sleep(20);
    }
  };
  const change = async (body: object) => (await ask<{ message: string }>(served, '/instances', { body })).body.message.split(' ').at(-1);
  const desired = async () => (await ask<{ desiredcapacity: number }>(served, '/instances')).body.desiredcapacity;
  await untilAgents(1);
  expect(await desired()).toBe(0);

  const id = await submit(served, { url_list: objectUrls(4, 'slow'), pops: POPS });
  expect(await desired()).toBe(1);
  expect(await change({ req_id: id, DesiredCapacity: 2 })).toBe('2');
  await untilAgents(2);
  const pids = served.agents().map(String);
  const working = await untilWorking(served);
  expect(working).toMatchObject({
    desiredcapacity: 2,
    maximum: 3,
    in_service: 2,
    pending: 0,
    warm_pool: null,
    on_demand: 0,
    claims: { operator: null, requests: [{ request_id: id, agents: 2 }] },
    last_failed_activity: null,
  });
  expect(working.agents.map(({ agent_id: agent }) => agent).toSorted()).toEqual(pids.toSorted());
  const busy = working.agents.filter(({ state }) => state === 'working');
  for (const agent of busy)
    expect(agent).toMatchObject({ instance_id: null, type: null, zone: null, targets_per_second: 0, mb_per_second: 0 });
  // None of the 8 stalled downloads has ended, so that all are in flight.
  expect(busy.reduce((sum, agent) => sum + agent.in_flight, 0)).toBe(8);
  expect(await change({ DesiredCapacity: 1000 })).toBe('3');
  const claimed = await ask(served, '/instances?detail=1');
  expect(claimed.body).toMatchObject({ claims: { operator: { agents: 1000, lapses_at: expect.stringMatching(/^\d{4}-\d\d-\d\d /) } } });
  await untilAgents(3);
  const [victim = 0] = served.agents();
  process.kill(victim, 'SIGKILL');
  for (let waited = 0; served.agents().includes(victim) && waited < 10_000; waited += 20) await sleep(20);
  await untilAgents(3);
  expect(await change({ DesiredCapacity: 0 })).toBe('2');
  await untilAgents(2);
  expect(await ask(served, `/prewarm?req_id=${id}`, { method: 'DELETE' })).toMatchObject({
    body: { status: 'STOPPED', status_reason: 'cancelled by default' },
  });
  expect(await desired()).toBe(0);
  await untilAgents(1);
  expect((await ask(served, '/instances', { body: { req_id: id, DesiredCapacity: 1 } })).status).toBe(409);
});

test("many requests at once do not wait for each other's end, and all end exactly", async () => {
  const { edge, flags } = await openEdge({ latencies: { edgeMs: 5 } });
  edge.setFault({ path: '/o/1k/slow*', method: 'GET' }, { kind: 'stall', at: 'headers' });
  const served = await serve([...flags, '--max-agents', '1']);
  const slow = await submit(served, { url_list: objectUrls(150, 'slow'), pops: POPS, instance_count: 8 });
  const large = await submit(served, { url_list: objectUrls(1500, 'large'), pops: POPS });
  const small: string[] = [];
  for (let n = 0; n < 40; n++) small.push(await submit(served, { url_list: objectUrls(3, `small-${n}-`), pops: POPS }));
  for (const id of small) expect(await until(served, id, hasEnded, 60_000)).toMatchObject({ status: 'FINISHED', download_count: 6 });
  expect((await progressOf(served, slow)).status).toBe('IN_PROGRESS');
  expect(await until(served, large, hasEnded, 60_000)).toMatchObject({ status: 'FINISHED', download_count: 3000 });
}, 90_000);

test('SIGTERM gives back the work under way, and the next start continues it', async () => {
  const { flags } = await openEdge({ latencies: { edgeMs: 15 } });
  const options = [...flags, '--data-dir', newDataDir(), '--concurrency', '4'];
  const first = await serve(options);
  const id = await submit(first, { url_list: objectUrls(100), pops: POPS, instance_count: 4 });
  await until(first, id, ({ status, download_count: done }) => status === 'IN_PROGRESS' || done > 0);
  expect(await first.stop()).toBe(0);
  const second = await serve(options);
  await until(second, id, hasEnded);
  expect(await expectExact(second, id, 200)).toMatchObject({ status: 'FINISHED', download_count: 200 });
});
