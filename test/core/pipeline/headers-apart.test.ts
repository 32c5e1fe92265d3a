import { countRecorded } from '../../../testing/request-rows.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createPipeline } from '../../../core/pipeline/create-pipeline.ts';
import type { Ask } from '../../../core/ports/downloader.ts';
import type { PipelinePorts } from '../../../core/ports/ports.ts';
import type { Header, Variant } from '../../../core/request/request.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { createAgent } from '../../../core/work/agent.ts';
import { keepHeadersIn, type KeptHeaders } from './kept-headers.ts';
import { advanceAll, answer, getRow, ID, makeSpec, makeUrls, openFixture, workAll } from '../../../testing/pipeline-fixture.ts';

const POP = 'SIN2-P1';
const SECRET = 'Bearer token-1';
const AUTHORIZATION: Header = ['Authorization', SECRET];
const VARIANTS: readonly Variant[] = [
  { name: 'member', headers: [AUTHORIZATION, ['Accept-Encoding', 'gzip']] },
  { name: 'guest', headers: [['Cookie', 'guest=token-2']] },
];
const hit = { xCache: 'Hit from cloudfront', servedBy: POP, bodyBytes: 1000, contentLength: 1000, ttfbMs: 1 };

/** The pipeline where headers are kept apart, as in AWS. */
function openApart(change: (ports: PipelinePorts) => PipelinePorts = (ports) => ports) {
  let kept: KeptHeaders | null = null;
  const fixture = openFixture({}, {}, (ports) => {
    kept = keepHeadersIn(ports.lists);
    return change({ ...ports, viewerHeaders: kept });
  });
  if (kept === null) throw new Error('the fixture makes its ports at once');
  return { ...fixture, kept: kept as KeptHeaders };
}

/** An agent of these ports that runs until the test is over. Its failure is the promise's. */
function startAgent(ports: PipelinePorts): { readonly asks: Ask[]; readonly running: Promise<void> } {
  const asks: Ask[] = [];
  const downloader = {
    ask: async (ask: Ask) => {
      asks.push(ask);
      return answer(hit);
    },
    close: async () => undefined,
  };
  const agent = createAgent(
    { ...ports, downloader, sameCity: () => false },
    { agentId: 'a', leaseMs: 60_000, beatMs: 50, receiveWaitMs: 50, concurrency: null, random: () => 0.5, load: () => 0.1 },
  );
  const running = agent.run();
  onTestFinished(async () => {
    await agent.stop().catch(() => {});
  });
  return { asks, running };
}

async function until(isThere: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 20) {
    if (await isThere()) return;
    await sleep(20);
  }
  throw new Error('it never came');
}

const queued = async ({ tasks }: PipelinePorts) => {
  const { available, leased } = await tasks.counts();
  return available + leased;
};

test('the row holds no value that grants access, and the sizer and the agents send all of them', async () => {
  const { ports, pipeline, asks, kept } = openApart();
  await pipeline.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(3) });
  await advanceAll(pipeline);
  const row = JSON.stringify(await getRow(ports));
  expect(row).not.toContain('token-');
  expect(row).not.toContain(kept.names.get(ID));
  expect(asks.map(({ headers }) => headers)).toEqual(makeUrls(3).map(() => VARIANTS[0]?.headers));

  const agent = startAgent(ports);
  await until(async () => (await queued(ports)) === 0);
  const asked = new Set(agent.asks.map(({ headers }) => JSON.stringify(headers)));
  expect(asked).toEqual(new Set(VARIANTS.map(({ headers }) => JSON.stringify(headers))));
});

test('an agent reads the headers of a request once, however many tasks it has', async () => {
  const { ports, pipeline, kept } = openApart();
  await pipeline.accept({ id: ID, spec: makeSpec([POP, 'FRA56-P4'], { variants: VARIANTS, agents: 8 }), urls: makeUrls(40) });
  await advanceAll(pipeline);
  expect(await queued(ports)).toBeGreaterThan(4);
  const before = kept.calls.length;
  startAgent(ports);
  await until(async () => (await queued(ports)) === 0);
  expect(kept.calls.slice(before)).toEqual([`read ${kept.names.get(ID)}`]);
});

test('every task names the headers of its own request, and of no other', async () => {
  const { ports, pipeline, kept } = openApart();
  const other = 'bbbbbbbb-0000-4000-8000-000000000000';
  const third = 'cccccccc-0000-4000-8000-000000000000';
  for (const id of [ID, other]) await pipeline.accept({ id, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(2) });
  await pipeline.accept({ id: third, spec: makeSpec([POP]), urls: makeUrls(2) });
  for (const id of [ID, other, third]) await advanceAll(pipeline, id);
  const leases = await ports.tasks.receive(10, 0);
  const named = new Map(leases.map(({ message }) => [message.requestId, message.headers]));
  expect(named.get(ID)).toMatch(/^[\w-]{43}$/);
  expect(named).toEqual(
    new Map([
      [ID, kept.names.get(ID)],
      [other, kept.names.get(other)],
      [third, undefined],
    ]),
  );
  expect(named.get(ID)).not.toBe(named.get(other));
});

test('headers that only describe a viewer stay in the row, and none are kept apart', async () => {
  const { ports, pipeline, kept } = openApart();
  const spec = makeSpec([POP]);
  await pipeline.accept({ id: ID, spec, urls: makeUrls(2) });
  expect((await getRow(ports)).spec).toEqual(spec);
  expect(kept.calls).toEqual([]);
});

test('headers are kept once and before the row exists, and a crash between leaves nothing that runs', async () => {
  let crashes = true;
  const { ports, pipeline, kept } = openApart((given) => ({
    ...given,
    store: {
      ...given.store,
      create: async (row) => {
        if (crashes) throw new Error('crashed');
        return given.store.create(row);
      },
    },
  }));
  const accept = () => pipeline.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(2) });
  await expect(accept()).rejects.toThrow('crashed');
  expect(kept.calls).toEqual([`keep ${ID}`]);
  expect(await ports.store.get(ID)).toBeNull();
  const first = kept.names.get(ID);
  crashes = false;
  await accept();
  expect(kept.names.get(ID)).toBe(first);
  await accept();
  expect(kept.calls).toEqual([`keep ${ID}`, `keep ${ID}`]);
});

test('a request and tasks of the version before, with the headers in the row, are sized and worked to their end', async () => {
  const { ports, pipeline, asks } = openApart();
  const old = createPipeline({ ...ports, viewerHeaders: null });
  await old.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(3) });
  expect(JSON.stringify(await getRow(ports))).toContain(SECRET);
  await advanceAll(pipeline);
  expect(asks[0]?.headers).toEqual(VARIANTS[0]?.headers);
  const [lease] = await ports.tasks.receive(1, 0);
  expect(lease?.message).not.toHaveProperty('headers');
  if (lease !== undefined) await ports.tasks.extend(lease.receipt, 0);
  const agent = startAgent(ports);
  await until(async () => (await queued(ports)) === 0);
  expect(agent.asks.some(({ headers }) => JSON.stringify(headers).includes(SECRET))).toBe(true);
});

test('a task whose request has ended and whose headers are gone is dropped, and the agent goes on', async () => {
  let isStale = true;
  const { ports, pipeline, kept } = openApart();
  await pipeline.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(2) });
  await advanceAll(pipeline);
  const before = await getRow(ports);
  await pipeline.end(ID, 'STOPPED', null);
  await kept.drop(ID);
  const store = {
    ...ports.store,
    /** At first as it was before the end, as an agent remembers it for a moment. */
    get: async (id: string) => {
      if (!isStale) return ports.store.get(id);
      isStale = false;
      return before;
    },
  };
  const agent = startAgent({ ...ports, store });
  await until(async () => (await queued(ports)) === 0);
  expect(agent.asks).toEqual([]);
  expect(await countRecorded(ports.store, ID)).toBe(0);
});

test('a task that lacks the name of its headers is never sent with empty ones', async () => {
  const { ports, pipeline } = openApart();
  await pipeline.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(2) });
  await advanceAll(pipeline);
  const leases = await ports.tasks.receive(10, 0);
  for (const { message, receipt } of leases) {
    const { headers: _, ...nameless }: TaskMessage = message;
    await ports.tasks.send([nameless]);
    await ports.tasks.delete(receipt);
  }
  const agent = startAgent(ports);
  await expect(agent.running).rejects.toThrow(/does not name the headers/);
  expect(agent.asks).toEqual([]);
});

test('the count of a request is exact where its headers are kept apart', async () => {
  const { ports, pipeline } = openApart();
  await pipeline.accept({ id: ID, spec: makeSpec([POP], { variants: VARIANTS }), urls: makeUrls(3) });
  await advanceAll(pipeline);
  await workAll(
    { ports },
    VARIANTS.map(({ name }) => name),
  );
  expect((await getRow(ports)).totalCount).toBe(6);
});
