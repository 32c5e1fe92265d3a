import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { createRequestCache } from '../../../core/work/request-cache.ts';
import { requestRow } from '../../../testing/request-rows.ts';
import { createManualClock } from './manual-clock.ts';

const MAX_AGE_MS = 1000;

/** A cache over real tables, and the ids that were read from these. */
function openCache(before: () => void = () => {}) {
  const manual = createManualClock();
  const shift = { ms: 0 };
  const clock = { ...manual, now: () => manual.now() + shift.ms };
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  const store = createSqliteRequestStore(db, clock);
  const reads: string[] = [];
  const get = async (id: string) => {
    reads.push(id);
    before();
    return store.get(id);
  };
  return { clock: manual, shift, store, reads, cache: createRequestCache(clock, get, MAX_AGE_MS) };
}

describe('the cache of requests', () => {
  it('the request cache answers from memory until the row is too old, and then sees that the request has changed', async () => {
    const { cache, clock, reads, store } = openCache();
    await store.create(requestRow('r'));
    expect((await cache.read('r'))?.status).toBe('CREATED');
    await store.transition('r', 'CREATED', 'SIZING', clock.now());
    await clock.pass(MAX_AGE_MS - 1);
    expect((await cache.read('r'))?.status).toBe('CREATED');
    expect(reads).toEqual(['r']);
    await clock.pass(1);
    expect((await cache.read('r'))?.status).toBe('SIZING');
    expect(reads).toEqual(['r', 'r']);
  });

  it('the request cache keeps requests apart', async () => {
    const { cache, store } = openCache();
    await store.create(requestRow('r'));
    await store.create(requestRow('other', { madeBy: 'somebody else' }));
    expect(await cache.read('r')).toMatchObject({ id: 'r', madeBy: 'ci' });
    expect(await cache.read('other')).toMatchObject({ id: 'other', madeBy: 'somebody else' });
  });

  it('the request cache also remembers for that time that there is no such request', async () => {
    const { cache, clock, reads, store } = openCache();
    expect(await cache.read('r')).toBeNull();
    await store.create(requestRow('r'));
    expect(await cache.read('r')).toBeNull();
    expect(reads).toHaveLength(1);
    await clock.pass(MAX_AGE_MS);
    expect((await cache.read('r'))?.id).toBe('r');
  });

  it('the request cache forgets the requests without held tasks, and only these', async () => {
    const { cache, reads, store } = openCache();
    await store.create(requestRow('r'));
    await store.create(requestRow('other'));
    await cache.read('r');
    await cache.read('other');
    cache.forgetOthers(new Set(['r']));
    await cache.read('r');
    expect(reads).toEqual(['r', 'other']);
    await cache.read('other');
    expect(reads).toEqual(['r', 'other', 'other']);
  });

  it('the request cache keeps no failed read', async () => {
    const failures = [new Error('throttled')];
    const { cache, store } = openCache(() => {
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
    });
    await store.create(requestRow('r'));
    await expect(cache.read('r')).rejects.toThrow('throttled');
    expect((await cache.read('r'))?.id).toBe('r');
  });

  it('the request cache reads the row again when the clock was set back', async () => {
    const { cache, reads, shift, store } = openCache();
    await store.create(requestRow('r'));
    await cache.read('r');
    shift.ms = -3_600_000;
    await cache.read('r');
    await cache.read('r');
    expect(reads).toHaveLength(2);
  });
});
