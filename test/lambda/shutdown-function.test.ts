import { expect, onTestFinished, test } from 'vitest';
import type { AsgFleet } from '../../adapters/aws/asg-fleet.ts';
import { PrewarmError } from '../../core/errors.ts';
import { createShutdownHandler } from '../../lambda/shutdown/shutdown-handler.ts';
import { ID, advanceAll, getRow, makeSpec, makeUrls } from '../../testing/pipeline-fixture.ts';
import { openAnswerServer } from '../../testing/answer-server.ts';
import { LONG, openFunctions } from './function-world.ts';

type FleetInstance = Awaited<ReturnType<AsgFleet['listInstances']>>[number];

const MINUTE = 60_000;
const OTHER = '0b9f2f0e-3f63-4f0e-8a30-000000000001';

/** The function over embedded stores, and a group of which a test says what lives. */
function openShutdown(alive: readonly string[] = []) {
  const world = openFunctions();
  const instances = new Map(alive.map((id): [string, FleetInstance] => [id, { id, isProtected: id.startsWith('busy') }]));
  const asked: number[] = [];
  const clock = { ...world.ports.clock, offset: 0, now: () => Date.now() + clock.offset };
  const terminate = async (id: string) => {
    if (id === 'busy-stuck') throw new PrewarmError('storage', 'it cannot be terminated');
    instances.delete(id);
  };
  const release = async () => {
    if (instances.has('busy-stuck')) throw new PrewarmError('storage', 'it cannot be let go');
    instances.clear();
  };
  const shutdown = createShutdownHandler({
    ...world.told,
    store: world.store,
    pipeline: world.functionPipeline,
    tasks: world.ports.tasks,
    instances: {
      maximum: 100,
      fallbackMinutes: 10,
      fallBack: async (overdue) => {
        asked.push(overdue);
        return 0;
      },
      listInstances: async () => [...instances.values()],
      terminate,
      release,
    },
    clock,
  });
  const figure = (name: string) => world.told.figures.findLast((each) => each.name === name)?.value;
  const accept = (id: string, timeoutMinutes: number | null = null) =>
    world.pipeline.accept({ id, spec: makeSpec(['SIN2-P1'], { timeoutMinutes }), urls: makeUrls(3) });
  return { ...world, shutdown, asked, figure, accept, clock, alive: () => [...instances.keys()] };
}

const fleet = { kind: 'fleet' };

test("a request's schedule ends it when its time is up, also when it fires twice, and sets itself again when it is early", async () => {
  const { shutdown, accept, ports, stores, ended } = openShutdown();
  await accept(ID, 30);
  await shutdown({ requestId: ID }, LONG);
  expect(await getRow(ports)).toMatchObject({ status: 'CREATED' });
  await ports.store.setTimeoutAt(ID, Date.now() - 1);
  await shutdown({ requestId: ID }, LONG);
  await shutdown({ requestId: ID }, LONG);
  await shutdown({ requestId: OTHER }, LONG);
  expect(await getRow(ports)).toMatchObject({ status: 'TIMEOUT', counters: { failed: 3 } });
  expect(ended.length).toBeGreaterThanOrEqual(1);
  expect(stores.timers.takeDue(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
});

test('an alarm starts a look at the capacity, whatever its form, and anything else is refused', async () => {
  const { shutdown, accept, fleet: group } = openShutdown();
  await accept(ID);
  for (const alarm of [{ source: 'aws.cloudwatch', detail: {} }, { Records: [{ EventSource: 'aws:sns', Sns: { Message: '{}' } }] }]) {
    group.capacity = 0;
    await shutdown(alarm, LONG);
    expect(group.capacity).toBe(1);
  }
  for (const event of [null, 7, 'fleet', {}, { requestId: 7 }, { requestId: '' }, { kind: 'else' }, { Records: [] }]) {
    await expect(shutdown(event, LONG)).rejects.toMatchObject({ code: 'invalid_input' });
  }
});

test('the fleet timer ends and counts a request whose schedule was lost, and no other', async () => {
  const { shutdown, accept, ports, figure, clock } = openShutdown();
  await accept(ID, 30);
  await accept(OTHER, 60);
  await ports.store.setTimeoutAt(ID, Date.now() - MINUTE);
  await shutdown(fleet, LONG);
  expect(figure('RequestsPastTimeout')).toBe(0);
  clock.offset = 90_000;
  await shutdown(fleet, LONG);
  expect(figure('RequestsPastTimeout')).toBe(1);
  expect(await getRow(ports)).toMatchObject({ status: 'TIMEOUT' });
  expect(await getRow(ports, OTHER)).toMatchObject({ status: 'CREATED' });
  await shutdown(fleet, LONG);
  expect(figure('RequestsPastTimeout')).toBe(0);
});

test('the fleet timer terminates instances 15 minutes after the last request, except those that the operator claims', async () => {
  const { shutdown, accept, pipeline, ports, alive, figure, clock } = openShutdown(['idle-1', 'busy-1', 'idle-2']);
  await accept(ID);
  await shutdown(fleet, LONG);
  await pipeline.end(ID, 'STOPPED', 'by the test');
  await shutdown(fleet, LONG);
  clock.offset = 14 * MINUTE;
  await shutdown(fleet, LONG);
  expect(alive()).toHaveLength(3);
  expect(figure('InstancesAfterLastRequest')).toBe(0);
  clock.offset = 16 * MINUTE;
  await ports.store.setOperatorClaim({ agents: 2, lapsesAt: Date.now() + 60 * MINUTE });
  await shutdown(fleet, LONG);
  // What says that it is busy is what scale-in leaves.
  expect(alive()).toEqual(['idle-1', 'idle-2']);
  expect(figure('InstancesAfterLastRequest')).toBe(1);
  clock.offset = 61 * MINUTE;
  await shutdown(fleet, LONG);
  // The claim has just lapsed, and the group needs time to take them.
  expect(alive()).toHaveLength(2);
  expect(figure('InstancesAfterLastRequest')).toBe(0);
  clock.offset = 76 * MINUTE;
  await shutdown(fleet, LONG);
  expect(alive()).toEqual([]);
  expect(figure('InstancesAfterLastRequest')).toBe(2);
});

test('instances of a claim that the operator lowers or takes back have 15 minutes to go, and no alarm names them', async () => {
  const { shutdown, ports, alive, figure, clock } = openShutdown(['idle-1', 'idle-2', 'idle-3']);
  const claim = (agents: number) => ports.store.setOperatorClaim({ agents, lapsesAt: clock.now() + 60 * MINUTE });
  for (const [agents, left] of [
    [2, 2],
    [0, 0],
  ] as const) {
    const before = alive().length;
    await claim(agents);
    clock.offset += 5 * MINUTE;
    await shutdown(fleet, LONG);
    expect(figure('InstancesAfterLastRequest')).toBe(0);
    expect(alive()).toHaveLength(before);
    clock.offset += 11 * MINUTE;
    await shutdown(fleet, LONG);
    expect(alive()).toHaveLength(left);
    expect(figure('InstancesAfterLastRequest')).toBe(before - left);
  }
});

test('a claim that would last longer than an hour keeps no instance', async () => {
  const { shutdown, ports, alive, figure, fleet: group } = openShutdown(['idle-1', 'idle-2']);
  await ports.store.setOperatorClaim({ agents: 2, lapsesAt: Date.parse('3000-01-01') });
  await shutdown(fleet, LONG);
  expect(group.capacity).toBe(0);
  expect(alive()).toEqual([]);
  expect(figure('InstancesAfterLastRequest')).toBe(2);
});

test('the fleet timer takes tasks of ended requests off the queue while none is active, and leaves others', async () => {
  const { shutdown, accept, pipeline, stores, ports } = openShutdown();
  await accept(ID);
  await advanceAll(pipeline);
  await pipeline.end(ID, 'STOPPED', 'by the test');
  await accept(OTHER);
  await shutdown(fleet, LONG);
  expect((await stores.tasks.counts()).available).toBeGreaterThan(0);
  await pipeline.end(OTHER, 'STOPPED', 'by the test');
  await shutdown(fleet, { getRemainingTimeInMillis: () => 19_000 });
  expect((await stores.tasks.counts()).available).toBeGreaterThan(0);
  await shutdown(fleet, LONG);
  expect(await stores.tasks.counts()).toEqual({ available: 0, leased: 0 });
  expect(await getRow(ports, OTHER)).toMatchObject({ status: 'STOPPED' });
});

test('a request that begins while tasks are taken off the queue finds its own tasks there at once', async () => {
  const { shutdown, accept, pipeline, stores, ports, store } = openShutdown();
  await accept(ID);
  await advanceAll(pipeline);
  await accept(OTHER);
  await advanceAll(pipeline, OTHER);
  const before = await stores.tasks.counts();
  await pipeline.end(ID, 'STOPPED', 'by the test');
  // As the timer saw it just before the other request began.
  store.listActive = async () => [];
  await shutdown(fleet, LONG);
  expect(await stores.tasks.counts()).toEqual({ available: before.available, leased: 0 });
  expect(await getRow(ports, OTHER)).toMatchObject({ status: 'IN_PROGRESS' });
});

test('a failing step of the timer does not keep others from being done, and is reported', async () => {
  const { shutdown, accept, pipeline, stores, alive, faults, clock } = openShutdown(['busy-stuck', 'busy-1']);
  await accept(ID);
  await advanceAll(pipeline);
  await pipeline.end(ID, 'STOPPED', 'by the test');
  clock.offset = 16 * MINUTE;
  faults.decide = (nth) => (nth === 1 ? 'before' : null);
  await expect(shutdown(fleet, LONG)).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('by a fault') });
  expect(alive()).toEqual(['busy-stuck']);
  expect(await stores.tasks.counts()).toEqual({ available: 0, leased: 0 });
});

test('the group lets go of its instances before CloudFormation deletes it, and only then, and reports what prevents it', async () => {
  const cloudFormation = await openAnswerServer(() => ({ status: 200, body: '' }));
  onTestFinished(() => cloudFormation.close());
  const of = (RequestType: string) => ({
    RequestType,
    ResponseURL: `${cloudFormation.url}/told?signed=1`,
    StackId: 's',
    RequestId: 'r',
    LogicalResourceId: 'Release',
    PhysicalResourceId: 'p',
    ResourceProperties: {},
  });
  const told = () => JSON.parse(cloudFormation.received.at(-1)?.body ?? '') as unknown;
  const { shutdown, alive } = openShutdown(['busy-1', 'idle-1']);
  for (const type of ['Create', 'Update']) {
    await shutdown(of(type), LONG);
    expect(told()).toMatchObject({ Status: 'SUCCESS', LogicalResourceId: 'Release' });
  }
  expect(alive()).toHaveLength(2);
  await shutdown(of('Delete'), LONG);
  expect(told()).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'p' });
  expect(alive()).toEqual([]);
  await openShutdown(['busy-stuck']).shutdown(of('Delete'), LONG);
  expect(told()).toMatchObject({ Status: 'FAILED', Reason: 'it cannot be let go' });
});

test('a claim that Spot has not filled in time is asked for on demand, for requests and the operator together', async () => {
  const { shutdown, pipeline, ports, asked, clock } = openShutdown();
  const accept = (id: string, agents: number) =>
    pipeline.accept({ id, spec: { ...makeSpec(['SIN2-P1']), agents }, urls: makeUrls(3), madeBy: null });
  await accept(ID, 3);
  await ports.store.setOperatorClaim({ agents: 2, lapsesAt: Date.now() + 55 * MINUTE });
  await shutdown(fleet, LONG);
  clock.offset = 6 * MINUTE;
  await shutdown(fleet, LONG);
  clock.offset = 11 * MINUTE;
  await shutdown(fleet, LONG);
  await pipeline.end(ID, 'STOPPED', 'by the test');
  await shutdown(fleet, LONG);
  expect(asked).toEqual([0, 2, 5, 2]);
});
