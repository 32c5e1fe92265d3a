import { expect, test } from 'vitest';
import { keys } from '../../../core/keys.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import type { PipelinePorts } from '../../../core/ports/ports.ts';
import { viewProgress } from '../../../core/report/progress.ts';
import { parseSizedLine, readLines } from '../../../core/work/sized-list.ts';
import {
  advanceAll,
  aggregateAll,
  answer,
  faultsOf,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  readReport,
  silence,
  workAll,
} from '../../../testing/pipeline-fixture.ts';

async function readSizes(lists: ListStore, parts: number): Promise<[string, number][]> {
  const sizes: [string, number][] = [];
  for (let part = 0; part < parts; part++) {
    for await (const { line } of readLines(lists.read(keys.part(ID, 'sized', part)))) {
      const { url, bytes } = parseSizedLine(line);
      sizes.push([url, bytes]);
    }
  }
  return sizes;
}

test('sizing asks each URL once by HEAD, with the first variant, round the addresses of the first POP that resolves', async () => {
  const urls = makeUrls(23);
  const fixture = openFixture({ pops: { 'SIN2-P1': 'pop_unresolvable' } }, { shareUrls: 5, headsInFlight: 3 });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1', 'FRA56-P4', 'IAD89-P1']), urls });
  await advanceAll(fixture.pipeline);
  expect(fixture.asks.map(({ url }) => url).toSorted()).toEqual(urls.toSorted());
  expect(new Set(fixture.asks.map(({ address }) => address.ip))).toEqual(new Set(['FRA56-P4-a', 'FRA56-P4-b']));
  for (const ask of fixture.asks) {
    expect(ask).toMatchObject({ method: 'HEAD', headers: [['Accept-Encoding', 'gzip']] });
    expect(ask.byteAt).toBeUndefined();
  }
  const { sizing } = await getRow(fixture.ports);
  expect(sizing).toMatchObject({ parts: 5, rows: 23, failedRows: 0, bytes: 23_000, done: true });
  expect((await readSizes(fixture.ports.lists, 5)).map(([url]) => url)).toEqual(urls);
});

test('a size that cannot be learnt is unknown, and answers in any order keep the order of the list', async () => {
  const urls = makeUrls(40);
  const fixture = openFixture({
    head: async ({ url }) => {
      const n = Number(url.slice(url.indexOf('=') + 1));
      await new Promise((resolve) => setTimeout(resolve, (n * 7) % 5));
      if (n % 4 === 1) return silence;
      if (n % 4 === 2) return answer({ status: 403, contentLength: 99 });
      return n % 4 === 3 ? answer({}) : answer({ contentLength: n });
    },
  });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls });
  await advanceAll(fixture.pipeline);
  expect(await readSizes(fixture.ports.lists, 1)).toEqual(urls.map((url, n) => [url, n % 4 === 0 ? n : -1]));
});

test('sizing gives up silent POPs after some dozens of HEADs, and asks nothing after three of them', async () => {
  const urls = makeUrls(500);
  const fixture = openFixture({ head: () => silence }, { shareUrls: 100, headsInFlight: 8 });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1', 'FRA56-P4', 'IAD89-P1', 'DUB2-C1']), urls });
  await advanceAll(fixture.pipeline);
  expect(fixture.asks.length).toBeLessThan(3 * 40);
  expect(new Set(fixture.asks.map(({ address }) => address.ip.slice(0, 3)))).toEqual(new Set(['SIN', 'FRA', 'IAD']));
  expect(await getRow(fixture.ports)).toMatchObject({ status: 'IN_PROGRESS', totalCount: 2000, totalBytes: 0 });
});

test.each([
  ['that says when to come again', 300],
  ['that does not say when to come again', 0],
])('a POP %s refuses no more HEADs than were in flight, and is asked again afterwards', async (_name, retryAfterMs) => {
  const urls = makeUrls(100);
  const at: number[] = [];
  const head = async () => {
    const isRefused = at.push(performance.now()) <= 8;
    await new Promise((resolve) => setImmediate(resolve));
    return isRefused ? answer({ status: 429, retryAfterMs }) : answer({ contentLength: 1000 });
  };
  const fixture = openFixture({ head }, { headsInFlight: 8 });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls });
  await advanceAll(fixture.pipeline);
  expect(at).toHaveLength(100);
  expect((at[8] ?? 0) - (at[7] ?? 0)).toBeGreaterThan(250);
  expect(await getRow(fixture.ports)).toMatchObject({ status: 'IN_PROGRESS', totalBytes: 92_000 });
});

test('sizes stay unknown after a wait beyond the end of the share, and the request continues at once', async () => {
  const urls = makeUrls(100);
  const head = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return answer({ status: 429, retryAfterMs: 3_600_000 });
  };
  const fixture = openFixture({ head }, { headsInFlight: 8, shareMs: 30_000 });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls });
  const begun = performance.now();
  await advanceAll(fixture.pipeline);
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(fixture.asks).toHaveLength(8);
  expect(await getRow(fixture.ports)).toMatchObject({ status: 'IN_PROGRESS', totalCount: 100, totalBytes: 0 });
});

test('the end of the request cancels the HEADs under way', async () => {
  const fixture = openFixture({
    head: ({ scope }) => new Promise((resolve) => scope.onCancel(() => resolve({ ...silence, error: 'cancelled' }))),
  });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(100) });
  await fixture.pipeline.advance(ID);
  const sizing = fixture.pipeline.advance(ID);
  await expect.poll(() => fixture.asks.length).toBe(64);
  await fixture.pipeline.end(ID, 'STOPPED', null);
  expect(await sizing).toEqual({ next: 'nothing' });
  expect(fixture.asks).toHaveLength(64);
  expect((await getRow(fixture.ports)).sizing.parts).toBe(0);
});

/** Two callers on one share: the first is done with asking while the second still waits for answers that will be others. */
async function openLateCaller(change: (ports: PipelinePorts) => PipelinePorts) {
  let late = true;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const head = async () => {
    if (!late) return answer({ contentLength: 7 });
    await released;
    return answer({ contentLength: 60_000_000_000 });
  };
  const fixture = openFixture({ head }, {}, change);
  const urls = makeUrls(12);
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls });
  await fixture.pipeline.advance(ID);
  const slow = fixture.pipeline.advance(ID);
  await expect.poll(() => fixture.asks.length).toBe(12);
  late = false;
  return { ...fixture, urls, slow, release: () => release() };
}

async function expectFirstAnswers(fixture: Awaited<ReturnType<typeof openLateCaller>>): Promise<void> {
  const { ports, pipeline, urls } = fixture;
  expect(await readSizes(ports.lists, 1)).toEqual(urls.map((url) => [url, 7]));
  expect((await getRow(ports)).sizing).toMatchObject({ parts: 1, rows: 12, failedRows: 0, bytes: 84 });
  await workAll(fixture);
  await aggregateAll(fixture);
  expect(faultsOf(await getRow(ports), await readReport(pipeline), urls, ['SIN2-P1'])).toEqual([]);
}

const crashingOnce = (ports: PipelinePorts): PipelinePorts => {
  let crashed = false;
  const saveSizing: PipelinePorts['store']['saveSizing'] = async (...given) => {
    if (crashed) return ports.store.saveSizing(...given);
    crashed = true;
    throw new Error('crashed');
  };
  return { ...ports, store: { ...ports.store, saveSizing } };
};

test('a late caller with other answers does not change the plan', async () => {
  const fixture = await openLateCaller((ports) => ports);
  await advanceAll(fixture.pipeline);
  fixture.release();
  expect(await fixture.slow).toEqual({ next: 'nothing' });
  await expectFirstAnswers(fixture);
});

test('a late caller continues with the answers of a caller that crashed after deciding', async () => {
  const fixture = await openLateCaller(crashingOnce);
  await expect(advanceAll(fixture.pipeline)).rejects.toThrow('crashed');
  fixture.release();
  expect(await fixture.slow).toEqual({ next: 'now' });
  await advanceAll(fixture.pipeline);
  await expectFirstAnswers(fixture);
});

test('a share that was decided is not asked again after a crash', async () => {
  const fixture = openFixture({}, {}, crashingOnce);
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(9) });
  await expect(advanceAll(fixture.pipeline)).rejects.toThrow('crashed');
  await advanceAll(fixture.pipeline);
  expect(fixture.asks).toHaveLength(9);
  expect((await getRow(fixture.ports)).status).toBe('IN_PROGRESS');
});

test('the number of asked URLs is visible while a share is asked, and is removed afterwards', async () => {
  const seen: number[] = [];
  let at = Date.now();
  const fixture = openFixture(
    {
      head: async () => {
        at += 400;
        return answer({ contentLength: 1000 });
      },
    },
    { headsInFlight: 1, shareUrls: 10 },
    (ports) => ({
      ...ports,
      clock: { ...ports.clock, now: () => at },
      store: {
        ...ports.store,
        putProvisional: async (row) => {
          await ports.store.putProvisional(row);
          const now = await ports.store.get(ID);
          if (now !== null)
            seen.push(viewProgress(now, await ports.store.listProvisional(ID), { available: 0, leased: 0 }, at).sized_count);
        },
      },
    }),
  );
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(20) });
  await advanceAll(fixture.pipeline);
  expect(seen.filter((count, index) => count !== seen[index - 1] && count % 10 !== 0)).toEqual([3, 6, 9, 13, 16, 19]);
  expect(await fixture.ports.store.listProvisional(ID)).toEqual([]);
});
