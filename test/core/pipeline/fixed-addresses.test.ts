import { expect, test } from 'vitest';
import { readStoredAddress, shownAddress, storeAddress } from '../../../core/pops/address.ts';
import { viewPops } from '../../../core/report/progress.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { advanceAll, getRow, ID, makeSpec, makeUrls, openFixture, type PipelineFixture } from '../../../testing/pipeline-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4'];

/** A pipeline that plans one task a share, and whose names lead somewhere else at every question. */
function openChanging() {
  const questions: string[] = [];
  const fixture = openFixture({}, { shareTasks: 1 }, (ports) => ({
    ...ports,
    resolver: {
      ...ports.resolver,
      resolvePop: async (_, pop) => {
        questions.push(pop);
        return { state: 'resolved', addresses: [{ ip: `2001:db8::${questions.length}`, port: 8443, httpPort: 8080 }] };
      },
    },
  }));
  return { ...fixture, questions };
}

async function takeTasks({ ports }: Pick<PipelineFixture, 'ports'>): Promise<TaskMessage[]> {
  const tasks: TaskMessage[] = [];
  for (;;) {
    const leased = await ports.tasks.receive(10, 0);
    if (leased.length === 0) return tasks;
    tasks.push(...leased.map(({ message }) => message));
  }
}

test('all tasks of a POP get the addresses of one resolution, however many shares the plan takes', async () => {
  const fixture = openChanging();
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(POPS, { agents: 2 }), urls: makeUrls(20) });
  await advanceAll(fixture.pipeline);
  const tasks = await takeTasks(fixture);
  expect(tasks.length).toBeGreaterThan(4);
  for (const pop of POPS) {
    const lists = new Set(tasks.filter((task) => task.pop === pop).map(({ addresses }) => JSON.stringify(addresses)));
    expect(lists.size).toBe(1);
    expect(fixture.questions.filter((name) => name === pop).length).toBeLessThanOrEqual(2);
  }
  expect(tasks[0]?.addresses).toEqual([{ ip: expect.stringMatching(/^2001:db8::\d$/), port: 8443, httpPort: 8080 }]);
  const shown = viewPops(await getRow(fixture.ports), await fixture.ports.store.listPops(ID));
  expect(shown.map(({ addresses }) => addresses)).toEqual(POPS.map(() => [expect.stringMatching(/^\[2001:db8::\d\]:8443$/)]));
});

test('a plan of an earlier version, whose rows have no http ports, continues by resolving its POPs anew', async () => {
  const fixture = openChanging();
  const { store } = fixture.ports;
  const listPops = store.listPops.bind(store);
  Object.assign(store, {
    listPops: async (id: string) =>
      (await listPops(id)).map((row) => ({ ...row, addresses: row.addresses.map((text) => text.replace(/\/\d+$/, '')) })),
  });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(20) });
  await advanceAll(fixture.pipeline);
  const tasks = await takeTasks(fixture);
  expect(tasks.length).toBeGreaterThan(0);
  for (const { addresses } of tasks) expect(addresses).toEqual([{ ip: expect.any(String), port: 8443, httpPort: 8080 }]);
});

test.each([
  [{ ip: '192.0.2.1', port: 443, httpPort: 80 }, '192.0.2.1:443/80', '192.0.2.1:443'],
  [{ ip: '2001:db8::1', port: 4433, httpPort: 8080 }, '[2001:db8::1]:4433/8080', '[2001:db8::1]:4433'],
])('an address is kept as one text and read back: %j', (address, stored, shown) => {
  expect(storeAddress(address)).toBe(stored);
  expect(readStoredAddress(stored)).toEqual(address);
  expect(shownAddress(stored)).toBe(shown);
  expect(readStoredAddress(shown)).toBeNull();
  expect(shownAddress(shown)).toBe(shown);
});
