import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CancellableScope } from '../../core/ask-scope.ts';
import type { EdgeAddress } from '../../core/address.ts';
import type { Clock } from '../../core/clock.ts';
import type { Answer, Ask } from '../../core/ports/downloader.ts';
import { createServedByReader } from '../../core/served-by.ts';
import { SeparateCaches } from '../../core/work/separate-caches.ts';
import { Target } from '../../core/work/target.ts';
import { needsEveryAddress, warmTarget, type WarmContext } from '../../core/work/warm-target.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { createModelPop, modelAddresses, type ModelObject, type ModelPop } from './model-pop.ts';

const URL_1 = 'https://d111111abcdef8.cloudfront.net/a';
const SMALL = 1000;
const LARGE = 1_000_000;

/** Time passes only when somebody waits. */
function skippingClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    after(ms, fn) {
      let wanted = true;
      queueMicrotask(() => {
        now += ms;
        if (wanted) fn();
      });
      return () => {
        wanted = false;
      };
    },
  };
}

interface Setup {
  readonly addresses?: number;
  readonly separate?: boolean;
  readonly object?: ModelObject;
  readonly fault?: (ask: Ask, index: number) => Partial<Answer> | null;
  readonly acceptStatus?: readonly number[];
  /** The first targets of a request and POP are probes; off: as after those. */
  readonly probes?: boolean;
}

function setUp(setup: Setup): { context: WarmContext; pop: ModelPop; warm: (url?: string, ordinal?: number) => Promise<Target> } {
  const addresses = modelAddresses(setup.addresses ?? 1);
  const object = setup.object ?? { bytes: SMALL };
  const pop = createModelPop({
    pop: 'SIN2-P1',
    addresses,
    separate: setup.separate ?? false,
    object: () => object,
    ...(setup.fault ? { fault: setup.fault } : {}),
  });
  const separate = new SeparateCaches();
  if (!setup.probes) while (separate.takeProbe());
  const scope = new CancellableScope();
  const context: WarmContext = {
    servedBy: createServedByReader('SIN2-P1', (a, b) => popCatalogue().sameCity(a, b)),
    acceptStatus: setup.acceptStatus ?? null,
    addresses,
    separate,
    scope,
    clock: skippingClock(),
    random: () => 0.5,
    ask(target, address, byteAt) {
      const ask: Ask = { method: 'GET', url: target.url, address, headers: [], scope };
      return pop.ask(byteAt === undefined ? ask : { ...ask, byteAt });
    },
  };
  return {
    context,
    pop,
    async warm(url = URL_1, ordinal = 0) {
      const target = new Target(url, { name: 'default', headers: [] }, false);
      await warmTarget(context, target, ordinal);
      return target;
    },
  };
}

function addressOf(context: WarmContext, index: number): EdgeAddress {
  const address = context.addresses[index];
  if (address === undefined) throw new RangeError(`the POP has no address ${index}`);
  return address;
}

const shape = (asks: readonly Ask[]) => asks.map((ask) => `${ask.address.ip.slice(-1)}${ask.byteAt === undefined ? '' : '*'}`).join(' ');

describe('warming one target where the addresses share a cache', () => {
  it('takes a first hit read to its end for already warm and verified, with one GET', async () => {
    const { pop, context, warm } = setUp({ addresses: 2 });
    pop.store(addressOf(context, 0), URL_1);
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'already_warm', verified: true, attempts: 1, bytes: SMALL });
  });

  it('checks a small object that missed by another whole GET at another address', async () => {
    const { pop, warm } = setUp({ addresses: 2 });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
    expect(shape(pop.asks)).toBe('1 2');
  });

  it('checks a large object that missed by one byte at another address', async () => {
    const { pop, warm } = setUp({ addresses: 2, object: { bytes: LARGE } });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, bytes: LARGE });
    expect(shape(pop.asks)).toBe('1 2*');
  });

  it('asks again while the cache is slow to hold what it delivered', async () => {
    const { pop, warm } = setUp({ object: { bytes: SMALL, lag: 2 } });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    expect(pop.asks).toHaveLength(4);
  });

  it('gives up after four checks on an object that never becomes a hit', async () => {
    const { pop, context, warm } = setUp({ addresses: 2, object: { bytes: SMALL, neverStored: true } });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', verified: false });
    expect(pop.asks).toHaveLength(5);
    expect(context.separate.isFound).toBe(false);
  });

  it('spends one check only on an object whose headers forbid storing it', async () => {
    const { pop, warm } = setUp({ object: { bytes: SMALL, neverStored: true, cacheControl: 'private, no-store' } });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached' });
    expect(pop.asks).toHaveLength(2);
  });

  it('believes a hit although the headers forbid storing', async () => {
    const { warm } = setUp({ object: { bytes: SMALL, cacheControl: 'no-store' } });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
  });

  it.each([
    ['another length', { rangeTotal: LARGE + 1 }],
    ['no length', { rangeTotal: -1 }],
    ['another encoding', { contentEncoding: 'br' }],
    ['another ETag', { etag: '"2"' }],
    ['a weak ETag where the whole had a strong one', { etag: 'W/"1"' }],
    ['no ETag where the whole had one', { etag: '' }],
    ['a range outside the object', { status: 416, xCache: 'Error from cloudfront' }],
    ['another length, although as a miss', { rangeTotal: 5, xCache: 'Miss from cloudfront' }],
  ] as const)('takes a byte that speaks of %s for no proof, and one whole GET decides', async (_name, part) => {
    const { pop, context, warm } = setUp({ object: { bytes: LARGE }, fault: (ask) => (ask.byteAt === undefined ? null : part) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 3, bytes: LARGE });
    expect(shape(pop.asks)).toBe('1 1* 1');
    expect(context.scope.bytes).toBe(2 * LARGE + 1);
  });

  it('gives up on an object of odd ranges after one whole GET that misses', async () => {
    const { pop, warm } = setUp({
      object: { bytes: LARGE, neverStored: true },
      fault: (ask) => (ask.byteAt === undefined ? null : { etag: '"2"' }),
    });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', attempts: 3 });
    expect(shape(pop.asks)).toBe('1 1* 1');
  });

  it('goes on to a second whole GET when the deciding one is answered with a fault', async () => {
    const { pop, warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask, index) => (ask.byteAt !== undefined ? { etag: '"2"' } : index === 2 ? { status: 503, bodyBytes: 0 } : null),
    });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, bytes: LARGE });
    expect(shape(pop.asks)).toBe('1 1* 1 1');
  });

  it.each([
    ['identity', ''],
    ['GZIP', 'gzip'],
  ])('takes the encodings %j and %j for one', async (ofPart, ofWhole) => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => ({ contentEncoding: ask.byteAt === undefined ? ofWhole : ofPart }),
    });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('lets length and encoding decide where neither answer has an ETag', async () => {
    const { warm } = setUp({ object: { bytes: LARGE }, fault: () => ({ etag: '' }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('notes what a byte check tells of another POP of the city and of revalidation', async () => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => (ask.byteAt === undefined ? null : { servedBy: 'SIN52-C2', xCache: ' refreshhit from cloudfront ' }),
    });
    expect((await warm()).notes([], true)).toBe('verified;near;revalidates');
  });

  it('reads a 200 in answer to one byte as a whole GET', async () => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => (ask.byteAt === undefined ? null : { status: 200, xCache: 'Hit from cloudfront', bodyBytes: LARGE, rangeTotal: -1 }),
    });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });
});

describe('judging answers', () => {
  it.each([
    ['a 404', { status: 404, xCache: 'Error from cloudfront' }, 'status_404', 1],
    ['a 503, three times', { status: 503, xCache: 'Error from cloudfront' }, 'status_503', 3],
    ['a redirect', { status: 301 }, 'status_301', 1],
    ['a page made by a function', { xCache: 'FunctionGeneratedResponse from cloudfront' }, 'generated', 1],
    ['no x-cache', { xCache: '' }, 'no_cache_header', 1],
    ['an error page', { xCache: 'Error from cloudfront' }, 'error_page', 1],
    ['an error page in other letters, behind another cache', { xCache: 'Hit from cloudfront,  ERROR from cloudfront ' }, 'error_page', 1],
    ['a challenge', { status: 202, wafAction: 'challenge', xCache: 'Error from cloudfront', bodyBytes: 0 }, 'challenged', 1],
    ['a challenge that claims to be a hit', { wafAction: 'challenge', xCache: 'Hit from cloudfront' }, 'challenged', 1],
    ['a captcha', { status: 405, wafAction: 'captcha' }, 'challenged', 1],
    ['a challenge by an empty header', { status: 503, wafAction: '' }, 'challenged', 1],
    ['a challenge whose body was cut short', { error: 'truncated', status: 202, wafAction: 'challenge' }, 'challenged', 1],
    ['a part that nobody asked for', { status: 206, xCache: 'Hit from cloudfront', rangeTotal: 5000 }, 'status_206', 1],
    ['an x-cache of commas only', { xCache: ' , ' }, 'no_cache_header', 1],
    ['a word in x-cache that nobody knows', { xCache: 'Perhaps from cloudfront' }, 'not_cached', 5],
    ['a hit behind an edge that missed', { xCache: 'Hit from cloudfront, Miss from cloudfront' }, 'not_cached', 5],
    ['no x-amz-cf-pop', { servedBy: '' }, 'wrong_pop', 1],
    ['another city', { servedBy: 'FRA56-P4' }, 'wrong_pop', 1],
    ['a reset', { error: 'connection' }, 'connection', 3],
    ['a body cut short', { error: 'truncated', status: 200 }, 'truncated', 3],
    ['silence', { error: 'timeout' }, 'timeout', 3],
    ['a refused address', { error: 'address_refused' }, 'address_refused', 1],
  ] as const)('ends %s as its reason after the attempts it is worth', async (_name, fault, reason, attempts) => {
    const { warm } = setUp({ fault: () => fault });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason, attempts });
  });

  it('goes round the addresses after a fault, and the last attempt decides', async () => {
    const { pop, warm } = setUp({ addresses: 4, fault: (_ask, index) => (index < 3 ? { error: 'connection' } : null) });
    expect(await warm()).toMatchObject({ outcome: 'warmed' });
    expect(shape(pop.asks)).toBe('1 2 3 4 1');
  });

  it('calls a hit after an attempt that had received headers warmed, since this run may have brought it in', async () => {
    const { pop, context, warm } = setUp({ fault: (_ask, index) => (index === 0 ? { error: 'truncated', status: 200 } : null) });
    pop.store(addressOf(context, 0), URL_1);
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('calls a hit after an attempt that never got an answer already warm', async () => {
    const { pop, context, warm } = setUp({ fault: (_ask, index) => (index === 0 ? { error: 'connection' } : null) });
    pop.store(addressOf(context, 0), URL_1);
    expect(await warm()).toMatchObject({ outcome: 'already_warm' });
  });

  it('counts another POP of the same city and says so', async () => {
    const { warm } = setUp({ fault: () => ({ servedBy: 'SIN52-C2' }) });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', near: true });
    expect(target.notes([], true)).toBe('verified;near');
  });

  it('counts another airport of the same city', async () => {
    const { context } = setUp({});
    const near = createServedByReader('BJS9-E1', (a, b) => popCatalogue().sameCity(a, b));
    expect([near('PEK50-E1'), near('bjs9-e1'), near('SIN2-P1'), near('')]).toEqual(['near', 'same', 'other', 'other']);
    expect(context.servedBy('SIN')).toBe('other');
  });

  it.each([
    ['the wanted POP behind another one', 'BOM50-C1, SIN2-P1', false],
    ['the wanted POP before another one', 'SIN2-P1,BOM50-C1', false],
    ['the wanted POP beside one of its city', 'SIN5-C1, SIN2-P1', false],
    ['the wanted POP in small letters and blanks', '  sin2-p1 ', false],
    ['a POP of the city behind another one', 'BOM50-C1,\tsin52-c2', true],
  ])('counts %s', async (_name, servedBy, near) => {
    const { warm } = setUp({ fault: () => ({ servedBy }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, near });
  });

  it.each([
    ['nginx', 'HIT', false],
    ['a cache behind another one', 'Miss from cloudfront, Hit from cloudfront', false],
    ['two lines and blanks', ' Miss from cloudfront ,  hit from cloudfront , ', false],
    ['a refreshed copy', 'RefreshHit from cloudfront', true],
    ['nginx that asked the origin', 'REVALIDATED', true],
  ])('takes the word of %s for a hit: %j', async (_name, xCache, revalidates) => {
    const { warm } = setUp({ fault: () => ({ xCache }) });
    expect(await warm()).toMatchObject({ outcome: 'already_warm', verified: true, revalidates, attempts: 1 });
  });

  it.each(['EXPIRED', 'BYPASS', 'STALE', 'UPDATING', 'miss', 'hit-for-pass', 'HITMISS'])('takes %s for a miss', async (xCache) => {
    const { warm } = setUp({ fault: () => ({ xCache }) });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', attempts: 5 });
  });

  it.each([
    ['an error page at a whole check', SMALL, { xCache: 'Error from cloudfront' }, 'error_page'],
    ['an error page at a byte check', LARGE, { xCache: 'Error from cloudfront' }, 'error_page'],
    ['a challenge at a whole check', SMALL, { status: 202, wafAction: 'challenge', xCache: 'Hit from cloudfront' }, 'challenged'],
    ['a challenge at a byte check', LARGE, { wafAction: 'challenge', xCache: 'Hit from cloudfront' }, 'challenged'],
    ['a part at a whole check', SMALL, { status: 206, xCache: 'Hit from cloudfront' }, 'status_206'],
    ['a hit of another POP at a check', LARGE, { servedBy: 'FRA56-P4', xCache: 'Hit from cloudfront' }, 'wrong_pop'],
  ] as const)('never calls warm what answers with %s', async (_name, bytes, fault, reason) => {
    const { warm } = setUp({ object: { bytes }, fault: (_ask, index) => (index === 0 ? null : fault) });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason, verified: false, attempts: 2 });
  });

  it.each([
    ['an error page whose status the request lists', [200], { xCache: 'Error from cloudfront' }, { outcome: 'warmed', verified: false }],
    ['an error page of another status', [404], { xCache: 'Error from cloudfront' }, { outcome: 'failed', reason: 'error_page' }],
    ['a challenge', [202], { status: 202, wafAction: 'challenge', xCache: 'Hit from cloudfront' }, { reason: 'challenged' }],
    ['a part', [206], { status: 206, xCache: 'Hit from cloudfront' }, { outcome: 'failed', reason: 'status_206' }],
  ] as const)('judges %s although the request accepts %j', async (_name, acceptStatus, fault, result) => {
    const { warm } = setUp({ acceptStatus, fault: () => fault });
    expect(await warm()).toMatchObject(result);
  });

  it('accepts a status the request lists, unverified where the edge only says Error', async () => {
    const { warm } = setUp({ acceptStatus: [404], fault: () => ({ status: 404, xCache: 'Error from cloudfront' }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: false });
  });
});

describe('warming where the addresses are separate caches', () => {
  it('finds it out by the first targets and warms every address', async () => {
    const { pop, context, warm } = setUp({ addresses: 4, separate: true, probes: true });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    expect(context.separate.isFound).toBe(true);
    for (const address of context.addresses) expect(pop.holds(address, URL_1)).toBe(true);
  });

  it('does not take a shared cache for separate ones', async () => {
    const { pop, context, warm } = setUp({ addresses: 4, probes: true, object: { bytes: SMALL, lag: 1 } });
    for (const name of ['a', 'b', 'c']) await warm(`${URL_1}${name}`);
    expect(context.separate.isFound).toBe(false);
    expect(pop.asks.length).toBe(3 * 6);
  });

  it('finds it out at a later check, and the target that was finished before needs every address', async () => {
    const { pop, context, warm } = setUp({ addresses: 2, separate: true, object: { bytes: LARGE } });
    for (const address of context.addresses) pop.store(address, `${URL_1}b`);
    const early = await warm(`${URL_1}b`);
    expect(context.separate.isFound).toBe(false);
    const target = await warm();
    expect(context.separate.isFound).toBe(true);
    expect(shape(pop.asks.slice(1))).toBe('1 2* 1*');
    expect(needsEveryAddress(context.separate, target)).toBe(true);
    expect(needsEveryAddress(context.separate, early)).toBe(true);
    await warmTarget(context, target, 0);
    expect(target).toMatchObject({ outcome: 'warmed', verified: true });
    for (const address of context.addresses) expect(pop.holds(address, URL_1)).toBe(true);
    expect(needsEveryAddress(context.separate, target)).toBe(false);
  });

  it('finds it out although ranges speak of another object', async () => {
    const { pop, context, warm } = setUp({
      addresses: 2,
      separate: true,
      object: { bytes: LARGE },
      fault: (ask) => (ask.byteAt === undefined ? null : { etag: '"2"' }),
    });
    await warm();
    expect(shape(pop.asks)).toBe('1 2* 2 1');
    expect(context.separate.isFound).toBe(true);
  });

  it('asks a POP of one address once, although another task found separate caches there', async () => {
    const { pop, context, warm } = setUp({ addresses: 1 });
    context.separate.found();
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
    expect(needsEveryAddress(context.separate, target)).toBe(false);
    expect(pop.asks).toHaveLength(2);
  });

  it('takes a byte that an earlier range request left at an address for no proof of that address', async () => {
    const { pop, context, warm } = setUp({ addresses: 2, separate: true, probes: true, object: { bytes: LARGE } });
    for (const address of context.addresses) pop.storeRange(address, URL_1);
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    for (const address of context.addresses) expect(pop.holds(address, URL_1)).toBe(true);
  });

  it('leaves out an address that stays unreachable and names it', async () => {
    const { pop, context, warm } = setUp({
      addresses: 2,
      separate: true,
      probes: true,
      fault: (ask) => (ask.address.ip.endsWith('.2') ? { error: 'timeout' } : null),
    });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true });
    expect(target.notes(context.addresses, true)).toBe('verified;unreachable=192.0.2.2:443');
    expect(pop.holds(addressOf(context, 0), URL_1)).toBe(true);
  });

  it('keeps a target accepted by its status when every address is gone through later, without asking in vain for a hit', async () => {
    const fault = () => ({ status: 404, xCache: 'Error from cloudfront' });
    const { context, pop, warm } = setUp({ addresses: 2, acceptStatus: [404], fault });
    const target = await warm();
    context.separate.found();
    expect(needsEveryAddress(context.separate, target)).toBe(true);
    await warmTarget(context, target, 0);
    expect(target).toMatchObject({ outcome: 'warmed', verified: false });
    expect(pop.asks.length).toBe(3);
  });

  it('compares a byte with the last whole GET that ended, not with a try in vain at an address that is down', async () => {
    const { context, warm } = setUp({
      addresses: 3,
      object: { bytes: LARGE },
      fault: (ask) => (ask.address.ip.endsWith('.1') ? { error: 'connection' } : null),
    });
    const target = await warm(URL_1, 1);
    context.separate.found();
    await warmTarget(context, target, 0);
    expect(target).toMatchObject({ outcome: 'warmed', verified: true });
    expect(target.notes(context.addresses, true)).toBe('verified;unreachable=192.0.2.1:443');
  });

  it('leaves every reachable address holding every verified target, whatever was there before and whatever goes wrong', async () => {
    const setup = fc.record({
      addresses: fc.integer({ min: 1, max: 5 }),
      large: fc.boolean(),
      lag: fc.integer({ min: 0, max: 2 }),
      ranges: fc.array(fc.tuple(fc.nat(4), fc.nat(7)), { maxLength: 8 }),
      faults: fc.array(fc.constantFrom('connection', 'truncated', 'timeout', '503', ''), { maxLength: 10 }),
      targets: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(setup, async ({ addresses, large, lag, ranges, faults, targets }) => {
        const { pop, context, warm } = setUp({
          addresses,
          separate: true,
          probes: true,
          object: { bytes: large ? LARGE : SMALL, lag },
          fault: (_ask, index) => {
            const fault = faults[index] ?? '';
            if (fault === '503') return { status: 503, xCache: 'Error from cloudfront', bodyBytes: 0 };
            if (fault === 'truncated') return { error: 'truncated', status: 200 };
            return fault === '' ? null : { error: fault as 'connection' };
          },
        });
        for (const [address, name] of ranges) pop.storeRange(addressOf(context, address % addresses), `${URL_1}${name}`);
        const worked: Target[] = [];
        for (let n = 0; n < targets; n++) worked.push(await warm(`${URL_1}${n}`, n));
        for (const target of worked) if (needsEveryAddress(context.separate, target)) await warmTarget(context, target, 0);
        expect(worked.filter((target) => target.outcome === null)).toEqual([]);
        const cold = worked
          .filter((target) => target.verified)
          .flatMap((target) =>
            context.addresses.filter((address, index) => !target.isUnreachable(index) && !pop.holds(address, target.url)),
          );
        expect(cold).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
