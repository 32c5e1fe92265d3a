import type { Next } from '../../../core/pipeline/pipeline-context.ts';
import { expect, test } from 'vitest';
import { PrewarmError } from '../../../core/errors.ts';
import { keys } from '../../../core/keys.ts';
import type { PipelineOptions } from '../../../core/pipeline/pipeline-context.ts';
import type { Invalidations } from '../../../core/ports/invalidations.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import {
  advanceAll,
  aggregateAll,
  faultsOf,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  readReport,
  workAll,
} from '../../../testing/pipeline-fixture.ts';

const spec = makeSpec(['SIN2-P1'], { invalidate: true });

interface Created {
  readonly reference: string;
  readonly paths: readonly string[];
}

/** An API of CloudFront's kind: a batch with a path of `refused` is refused as a whole; `trouble` is thrown first, one a call. */
function openCloudFront(refused: ReadonlySet<string> = new Set(), trouble: Error[] = []) {
  const asked: Created[] = [];
  const taken = new Map<string, readonly string[]>();
  const fail = () => {
    const error = trouble.shift();
    if (error !== undefined) throw error;
  };
  const invalidations: Invalidations = {
    create: async (_, reference, paths) => {
      fail();
      asked.push({ reference, paths });
      expect(new Set(paths).size).toBe(paths.length);
      if (paths.some((path) => refused.has(path))) return { refused: 'InvalidArgument: one of them' };
      expect(paths).toEqual(taken.get(reference) ?? paths);
      taken.set(reference, paths);
      return { id: `I-${reference}` };
    },
    isComplete: async (_, id) => {
      fail();
      expect(taken.has(id.slice(2))).toBe(true);
      return true;
    },
  };
  return { invalidations, asked, taken: () => [...taken.values()].flat() };
}

function openInvalidating(
  cloudFront: { readonly invalidations: Invalidations },
  options: PipelineOptions = {},
  lists?: (l: ListStore) => ListStore,
) {
  return openFixture({}, options, (ports) => ({
    ...ports,
    invalidations: cloudFront.invalidations,
    lists: lists === undefined ? ports.lists : lists(ports.lists),
  }));
}

const urlsOf = (count: number) => Array.from({ length: count }, (_, n) => `https://www.example.com/p/${n}`);
const busy = () => new PrewarmError('invalidation_busy', 'Throttling: rate exceeded');

/** Everything the request needs, its tasks included. */
async function runToEnd(fixture: ReturnType<typeof openInvalidating>): Promise<void> {
  await advanceAll(fixture.pipeline);
  await workAll(fixture);
  await aggregateAll(fixture);
}

test('paths are invalidated in batches, one complete before the next, all before the first size is asked', async () => {
  const created: Created[] = [];
  let looks = 0;
  const invalidations: Invalidations = {
    create: async (_, reference, paths) => {
      expect(looks).toBe(created.length * 2);
      created.push({ reference, paths });
      return { id: `I${created.length}` };
    },
    isComplete: async (_, id) => {
      expect(id).toBe(`I${created.length}`);
      looks += 1;
      return looks % 2 === 0;
    },
  };
  const { pipeline, ports, asks } = openInvalidating({ invalidations }, { invalidationPollsMs: [1234, 5000, 9000] });
  await pipeline.accept({ id: ID, spec, urls: [...makeUrls(3001), 'http://www.example.com/file,3000?v=3000'] });
  const steps: Next[] = [];
  while ((await getRow(ports)).status !== 'SIZING') steps.push(await pipeline.advance(ID));
  expect(asks).toEqual([]);
  expect(steps.filter(({ next }) => next !== 'now')).toEqual([
    { next: 'later', inMs: 1234 },
    { next: 'later', inMs: 1234 },
  ]);
  expect(created.map(({ reference }) => reference)).toEqual([`${ID}-0`, `${ID}-1`]);
  expect(created[0]?.paths).toHaveLength(3000);
  expect(created[1]?.paths).toEqual(['/file,3000?v=3000']);
  expect((await getRow(ports)).invalidations).toEqual(['I1', 'I2']);
});

test('a path that several URLs share is invalidated once, however far apart they are in the list', async () => {
  const cloudFront = openCloudFront();
  const { pipeline, ports } = openInvalidating(cloudFront);
  const urls = [...urlsOf(4000), ...urlsOf(4000).map((url) => url.replace('https:', 'http:'))];
  await pipeline.accept({ id: ID, spec, urls });
  while ((await getRow(ports)).status !== 'SIZING') await pipeline.advance(ID);
  expect(cloudFront.asked.map(({ paths }) => paths.length)).toEqual([3000, 1000]);
  expect(new Set(cloudFront.taken()).size).toBe(4000);
});

test('the pipeline reads the list once for all batches of invalidations', async () => {
  let reads = 0;
  const cloudFront = openCloudFront();
  const { pipeline, ports } = openInvalidating(cloudFront, {}, (lists) => ({
    ...lists,
    read: (key, range) => {
      if (key === keys.urls(ID)) reads += 1;
      return lists.read(key, range);
    },
  }));
  await pipeline.accept({ id: ID, spec, urls: urlsOf(10_000) });
  while ((await getRow(ports)).status !== 'SIZING') await pipeline.advance(ID);
  expect(cloudFront.asked).toHaveLength(4);
  expect(reads).toBe(1);
});

test('the pipeline finds and names refused paths, fails their URLs, and invalidates and warms all others once', async () => {
  const refused = new Set(['/p/7', '/p/2999', '/p/3000']);
  const cloudFront = openCloudFront(refused);
  const fixture = openInvalidating(cloudFront);
  const { pipeline, ports, asks } = fixture;
  const urls = urlsOf(3100);
  await pipeline.accept({ id: ID, spec, urls });
  await runToEnd(fixture);
  expect(cloudFront.taken().toSorted()).toEqual(
    urls
      .map((url) => new URL(url).pathname)
      .filter((path) => !refused.has(path))
      .toSorted(),
  );
  expect(cloudFront.asked.length).toBeLessThan(100);
  const row = await getRow(ports);
  expect(row).toMatchObject({ status: 'FINISHED', counters: { 'reason.not_invalidated': 3 } });
  expect(row.statusReason).toBe(
    '3 paths were refused when it came to invalidating, and the URLs fail as not_invalidated: /p/7, /p/2999, /p/3000',
  );
  const report = await readReport(pipeline);
  expect(faultsOf(row, report, urls, ['SIN2-P1'])).toEqual([]);
  expect(report.filter(({ reason }) => reason === 'not_invalidated').map(({ url }) => new URL(url ?? '').pathname)).toEqual([...refused]);
  expect(asks.filter(({ url }) => refused.has(new URL(url).pathname))).toEqual([]);
});

test('a search for refused paths that is restarted or interrupted at any call makes the same invalidations, and none twice', async () => {
  const refused = new Set(['/p/3', '/p/4']);
  for (let at = 0; at < 12; at++) {
    const cloudFront = openCloudFront(refused);
    let calls = 0;
    const create: Invalidations['create'] = async (...args) => {
      const answer = await cloudFront.invalidations.create(...args);
      calls += 1;
      if (calls === at) throw busy();
      return answer;
    };
    const fixture = openInvalidating({ invalidations: { ...cloudFront.invalidations, create } }, { invalidationPollsMs: [1, 1, 1] });
    await fixture.pipeline.accept({ id: ID, spec, urls: urlsOf(10) });
    await runToEnd(fixture);
    const paths = cloudFront.taken();
    expect(paths.toSorted()).toEqual(['/p/0', '/p/1', '/p/2', '/p/5', '/p/6', '/p/7', '/p/8', '/p/9']);
    expect(await getRow(fixture.ports)).toMatchObject({ status: 'FINISHED', counters: { 'reason.not_invalidated': 2 } });
  }
});

test('a list of refused paths alone ends after a bounded number of calls, and nothing of it is warmed', async () => {
  const urls = urlsOf(3000);
  const cloudFront = openCloudFront(new Set(urls.map((url) => new URL(url).pathname)));
  const fixture = openInvalidating(cloudFront);
  await fixture.pipeline.accept({ id: ID, spec, urls });
  await runToEnd(fixture);
  expect(cloudFront.asked.length).toBeLessThan(300);
  const row = await getRow(fixture.ports);
  expect(row).toMatchObject({ status: 'FINISHED', counters: { failed: 3000, 'reason.not_invalidated': 3000 } });
  expect(row.statusReason).toContain('3000 paths were refused');
  expect(row.statusReason).toMatch(/\/p\/9, and 2990 more$/);
});

test('the pipeline refuses a path of more than 4,000 characters before it asks anything, and continues with the others', async () => {
  const cloudFront = openCloudFront();
  const fixture = openInvalidating(cloudFront);
  const fits = `https://www.example.com/${'b'.repeat(3999)}`;
  await fixture.pipeline.accept({ id: ID, spec, urls: [`https://www.example.com/${'a'.repeat(4000)}`, fits] });
  await runToEnd(fixture);
  expect(cloudFront.asked.map(({ paths }) => paths)).toEqual([[new URL(fits).pathname]]);
  const row = await getRow(fixture.ports);
  expect(row).toMatchObject({ status: 'FINISHED', counters: { 'reason.not_invalidated': 1 } });
  expect(row.statusReason).toMatch(/^1 path was refused.*: \/a{198}…$/);
});

test('the pipeline waits for passing trouble with growing pauses and reports it, at any call', async () => {
  let now = 1_000_000;
  const cloudFront = openCloudFront(new Set(), Array.from({ length: 5 }, busy));
  const { pipeline, ports } = openFixture({}, {}, (ports) => ({
    ...ports,
    invalidations: cloudFront.invalidations,
    clock: { ...ports.clock, now: () => now },
  }));
  await pipeline.accept({ id: ID, spec, urls: urlsOf(2) });
  const waits: number[] = [];
  const reasons = new Set<string | null>();
  while ((await getRow(ports)).status !== 'SIZING') {
    const step = await pipeline.advance(ID);
    const wait = step.next === 'later' ? step.inMs : 0;
    if (wait > 0) waits.push(wait);
    reasons.add((await getRow(ports)).statusReason);
    now += wait;
  }
  expect(waits).toEqual([3000, 10_000, 30_000, 30_000, 30_000]);
  expect([...reasons]).toEqual([null, 'the invalidation is waited for: Throttling: rate exceeded']);
  expect((await getRow(ports)).statusReason).toBeNull();
});

test('a request whose time ends while the invalidation is waited for says so', async () => {
  const cloudFront = openCloudFront(new Set(), Array.from({ length: 50 }, busy));
  const { pipeline, ports } = openInvalidating(cloudFront);
  await pipeline.accept({ id: ID, spec: { ...spec, timeoutMinutes: 1 }, urls: urlsOf(2) });
  for (let calls = 0; calls < 3; calls++) await pipeline.advance(ID);
  await ports.store.setTimeoutAt(ID, 1);
  await pipeline.fireTimer(ID);
  expect(await getRow(ports)).toMatchObject({
    status: 'TIMEOUT',
    statusReason: 'not done within 1 minutes; the invalidation is waited for: Throttling: rate exceeded',
  });
});

test('a request without a time-out waits for half an hour at most', async () => {
  let now = 1_000_000;
  const cloudFront = openCloudFront(new Set(), Array.from({ length: 500 }, busy));
  const { pipeline, ports } = openFixture({}, {}, (ports) => ({
    ...ports,
    invalidations: cloudFront.invalidations,
    clock: { ...ports.clock, now: () => now },
  }));
  await pipeline.accept({ id: ID, spec, urls: urlsOf(2) });
  for (let step = await pipeline.advance(ID); step.next !== 'nothing'; step = await pipeline.advance(ID)) {
    if (step.next === 'later') now += step.inMs;
  }
  expect(await getRow(ports)).toMatchObject({ status: 'FAILED', statusReason: 'the invalidation failed: Throttling: rate exceeded' });
  expect(now - 1_000_000).toBeGreaterThan(29 * 60_000);
  expect(now - 1_000_000).toBeLessThan(32 * 60_000);
});

test('a failed invalidation ends the request as FAILED with its reason, and nothing is downloaded', async () => {
  const cloudFront = openCloudFront(new Set(), [new PrewarmError('invalidation', 'access denied')]);
  const { pipeline, ports, asks } = openInvalidating(cloudFront);
  await pipeline.accept({ id: ID, spec, urls: makeUrls(2) });
  await advanceAll(pipeline);
  expect(await getRow(ports)).toMatchObject({ status: 'FAILED', statusReason: 'the invalidation failed: access denied' });
  expect(asks).toEqual([]);
});

test('a request that the version before left at its second batch continues with the URLs that no batch had', async () => {
  const cloudFront = openCloudFront();
  cloudFront.invalidations.isComplete = async () => true;
  const { pipeline, ports } = openInvalidating(cloudFront);
  // The version before cut the list of URLs, so that its first batch has fewer paths where URLs share them.
  const urls = [...urlsOf(1500), ...urlsOf(1500).map((url) => url.replace('https:', 'http:')), ...urlsOf(4000).slice(1400)];
  await pipeline.accept({ id: ID, spec, urls: [...new Set(urls)] });
  const at = ports.clock.now();
  await ports.store.transition(ID, 'CREATED', 'INVALIDATING', at, { invalidations: ['IOLD'] });
  while ((await getRow(ports)).status !== 'SIZING') await pipeline.advance(ID);
  expect(cloudFront.asked.map(({ reference }) => reference)).toEqual([`${ID}-1`]);
  expect(cloudFront.taken()).toEqual(
    urlsOf(4000)
      .slice(1500)
      .map((url) => new URL(url).pathname),
  );
  expect((await getRow(ports)).invalidations).toEqual(['IOLD', `I-${ID}-1`]);
});
