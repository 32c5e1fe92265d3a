import { expect, test } from 'vitest';
import { createPipeline } from '../../../core/pipeline/create-pipeline.ts';
import type { PipelinePorts } from '../../../core/ports/ports.ts';
import type { RequestRow } from '../../../core/request/request.ts';
import {
  advanceAll,
  aggregateAll,
  answer,
  type Edge,
  faultsOf,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  type PipelineFixture,
  readReport,
  workAll,
} from '../../../testing/pipeline-fixture.ts';

const URLS = makeUrls(11);
const POPS = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1', 'DUB2-C1', 'SYD1-C1'];
const OPTIONS = { shareUrls: 4, headsInFlight: 2, shareTasks: 7 };
const SPEC = makeSpec(POPS, { timeoutMinutes: 10 });

/** Never answers alike twice: sizes change, and one URL is too large every other time. */
function fickleEdge(): Edge {
  let asked = 0;
  return {
    pops: { 'FRA56-P4': 'pop_unresolvable', 'SYD1-C1': 'address_refused' },
    head: ({ url }) => {
      asked += 1;
      return answer({ contentLength: url === URLS[5] && asked % 2 === 0 ? 60_000_000_000 : 10 ** (asked % 6) });
    },
  };
}

class Crash extends Error {}

type Around = (call: () => unknown) => unknown;

/** Ports whose every promised call goes through `around`; reads of streams stay as they are. */
function aroundCalls(ports: PipelinePorts, around: Around): PipelinePorts {
  const streams = new Set<string | symbol>(['read', 'readResult']);
  const wrap = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function' || streams.has(name)) return value;
        return (...given: unknown[]) => around(() => value.apply(target, given) as unknown);
      },
    });
  const { store, lists, tasks, timers, fleet, events, resolver, downloader } = ports;
  const wrapped = { store: wrap(store), lists: wrap(lists), tasks: wrap(tasks), timers: wrap(timers), fleet: wrap(fleet) };
  return { ...ports, ...wrapped, events: wrap(events), resolver: wrap(resolver), downloader: wrap(downloader) };
}

/** Runs a step until it comes through; what crashed is gone, a new process tries again. */
async function insist(step: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await step();
      return;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }
}

async function runThrough(fixture: PipelineFixture): Promise<RequestRow> {
  const restarted = () => createPipeline(fixture.ports, OPTIONS);
  await insist(() => restarted().accept({ id: ID, spec: SPEC, urls: URLS }));
  await insist(() => advanceAll(restarted()));
  // An agent's crash is the queue's matter; here agents are sound.
  const { store, lists, tasks } = fixture.stores;
  await workAll({ ports: { ...fixture.ports, store, lists, tasks } });
  await insist(() => aggregateAll({ stores: fixture.stores, pipeline: restarted() }));
  return getRow({ store: fixture.stores.store });
}

async function expectWhole(fixture: PipelineFixture, row: RequestRow, what: string): Promise<void> {
  const report = await readReport(createPipeline({ ...fixture.ports, store: fixture.stores.store, lists: fixture.stores.lists }));
  const timers = fixture.stores.timers.takeDue(Number.MAX_SAFE_INTEGER, 1);
  const stopped = row.counters['reason.stopped'] ?? 0;
  const seen = { what, status: row.status, stopped, told: fixture.ended.length > 0, capacity: fixture.fleet.capacity, timers };
  expect({ ...seen, faults: faultsOf(row, report, URLS, POPS) }).toEqual({
    what,
    status: 'FINISHED',
    stopped: 0,
    told: true,
    capacity: 0,
    timers: [],
    faults: [],
  });
}

async function runCrashing(at: number, done: boolean): Promise<boolean> {
  let calls = 0;
  const fixture = openFixture(fickleEdge(), OPTIONS, (ports) =>
    aroundCalls(ports, async (call) => {
      calls += 1;
      if (calls !== at) return call();
      if (done) await call();
      throw new Crash();
    }),
  );
  const row = await runThrough(fixture);
  await expectWhole(fixture, row, `a crash ${done ? 'after' : 'before'} call ${at}`);
  fixture.stores.close();
  return calls >= at;
}

test('a crash before or after any call neither loses nor doubles anything', async () => {
  let at = 1;
  while (await runCrashing(at, at % 4 === 3)) at += 2;
  expect(at).toBeGreaterThan(100);
}, 120_000);

test('simultaneous callers do each other no harm', async () => {
  let calls = 0;
  const fixture = openFixture(fickleEdge(), OPTIONS, (ports) =>
    aroundCalls(ports, async (call) => {
      calls += 1;
      for (let turns = (calls * 31) % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return call();
    }),
  );
  const pipelines = Array.from({ length: 4 }, () => createPipeline(fixture.ports, OPTIONS));
  await Promise.all(pipelines.map((pipeline) => pipeline.accept({ id: ID, spec: SPEC, urls: URLS })));
  // Whoever loses a race stops; whoever won goes on, so all of them together come to the end.
  await Promise.all(pipelines.map((pipeline) => advanceAll(pipeline)));
  expect((await getRow(fixture.ports)).status).toBe('IN_PROGRESS');
  await workAll(fixture);
  await Promise.all(pipelines.map((pipeline) => aggregateAll({ stores: fixture.stores, pipeline })));
  await expectWhole(fixture, await getRow(fixture.ports), 'four callers');
});
