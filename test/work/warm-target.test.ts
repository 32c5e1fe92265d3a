import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CancellableScope } from '../../core/ask-scope.ts';
import type { EdgeAddress } from '../../core/address.ts';
import type { Clock } from '../../core/clock.ts';
import type { Answer, Ask } from '../../core/ports/downloader.ts';
import { SeparateCaches } from '../../core/work/separate-caches.ts';
import { Target } from '../../core/work/target.ts';
import { needsEveryAddress, warmTarget, type WarmContext } from '../../core/work/warm-target.ts';
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
    pop: 'SIN2-P1',
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

  it('does not take a byte for proof when it is of another object', async () => {
    const { warm } = setUp({ object: { bytes: LARGE }, fault: (ask) => (ask.byteAt === undefined ? null : { etag: '"2"' }) });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached' });
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
