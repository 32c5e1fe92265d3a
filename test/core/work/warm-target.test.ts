import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Target } from '../../../core/work/target.ts';
import { needsEveryAddress, warmTarget } from '../../../core/work/warm-target.ts';
import { addressOf, LARGE, setUp, shape, SMALL, URL_1 } from './warm-fixture.ts';

describe('warming one target where the addresses share a cache', () => {
  it('a shared-cache target is already warm and verified after a first hit read to its end, with one GET', async () => {
    const { pop, context, warm } = setUp({ addresses: 2 });
    pop.store(addressOf(context, 0), URL_1);
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'already_warm', verified: true, attempts: 1, bytes: SMALL });
  });

  it('a small object that missed is checked by another whole GET at another address', async () => {
    const { pop, warm } = setUp({ addresses: 2 });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
    expect(shape(pop.asks)).toBe('1 2');
  });

  it('a large object that missed is checked by one byte at another address', async () => {
    const { pop, warm } = setUp({ addresses: 2, object: { bytes: LARGE } });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, bytes: LARGE });
    expect(shape(pop.asks)).toBe('1 2*');
  });

  it('a target is asked again while the cache is slow to hold what it delivered', async () => {
    const { pop, warm } = setUp({ object: { bytes: SMALL, lag: 2 } });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    expect(pop.asks).toHaveLength(4);
  });

  it('an object that never becomes a hit is given up after four checks', async () => {
    const { pop, context, warm } = setUp({ addresses: 2, object: { bytes: SMALL, neverStored: true } });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', verified: false });
    expect(pop.asks).toHaveLength(5);
    expect(context.separate.isFound).toBe(false);
  });

  it('an object whose headers forbid storing it gets only one check', async () => {
    const { pop, warm } = setUp({ object: { bytes: SMALL, neverStored: true, cacheControl: 'private, no-store' } });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached' });
    expect(pop.asks).toHaveLength(2);
  });

  it('a hit is believed although the headers forbid storing', async () => {
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
  ] as const)('a byte of %s is no proof, and one whole GET decides', async (_name, part) => {
    const { pop, context, warm } = setUp({ object: { bytes: LARGE }, fault: (ask) => (ask.byteAt === undefined ? null : part) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 3, bytes: LARGE });
    expect(shape(pop.asks)).toBe('1 1* 1');
    expect(context.scope.bytes).toBe(2 * LARGE + 1);
  });

  it('an object of odd ranges is given up after one whole GET that misses', async () => {
    const { pop, warm } = setUp({
      object: { bytes: LARGE, neverStored: true },
      fault: (ask) => (ask.byteAt === undefined ? null : { etag: '"2"' }),
    });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', attempts: 3 });
    expect(shape(pop.asks)).toBe('1 1* 1');
  });

  it('a fault in answer to the deciding whole GET leads to a second one', async () => {
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
  ])('the check takes the encodings %j and %j for one', async (ofPart, ofWhole) => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => ({ contentEncoding: ask.byteAt === undefined ? ofWhole : ofPart }),
    });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('length and encoding decide a check where neither answer has an ETag', async () => {
    const { warm } = setUp({ object: { bytes: LARGE }, fault: () => ({ etag: '' }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('the notes of a byte check name another POP of the city and revalidation', async () => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => (ask.byteAt === undefined ? null : { servedBy: 'SIN52-C2', xCache: ' refreshhit from cloudfront ' }),
    });
    expect((await warm()).notes([], true)).toBe('verified;near;revalidates');
  });

  it('a 200 in answer to one byte counts as a whole GET', async () => {
    const { warm } = setUp({
      object: { bytes: LARGE },
      fault: (ask) => (ask.byteAt === undefined ? null : { status: 200, xCache: 'Hit from cloudfront', bodyBytes: LARGE, rangeTotal: -1 }),
    });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });
});

describe('warming where the addresses are separate caches', () => {
  it('the first targets find separate caches out, and every address is warmed', async () => {
    const { pop, context, warm } = setUp({ addresses: 4, separate: true, probes: true });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    expect(context.separate.isFound).toBe(true);
    for (const address of context.addresses) expect(pop.holds(address, URL_1)).toBe(true);
  });

  it('a shared cache is not taken for separate ones', async () => {
    const { pop, context, warm } = setUp({ addresses: 4, probes: true, object: { bytes: SMALL, lag: 1 } });
    for (const name of ['a', 'b', 'c']) await warm(`${URL_1}${name}`);
    expect(context.separate.isFound).toBe(false);
    expect(pop.asks.length).toBe(3 * 6);
  });

  it('a later check finds separate caches out, and the target that was finished before needs every address', async () => {
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

  it('separate caches are found out although ranges speak of another object', async () => {
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

  it('a POP of one address is asked once, although another task found separate caches there', async () => {
    const { pop, context, warm } = setUp({ addresses: 1 });
    context.separate.found();
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
    expect(needsEveryAddress(context.separate, target)).toBe(false);
    expect(pop.asks).toHaveLength(2);
  });

  it('a byte that an earlier range request left at an address is no proof of that address', async () => {
    const { pop, context, warm } = setUp({ addresses: 2, separate: true, probes: true, object: { bytes: LARGE } });
    for (const address of context.addresses) pop.storeRange(address, URL_1);
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true });
    for (const address of context.addresses) expect(pop.holds(address, URL_1)).toBe(true);
  });

  it('an address that stays unreachable is left out and named', async () => {
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

  it('a target accepted by its status keeps it when every address is tried later, and no hit is asked for', async () => {
    const fault = () => ({ status: 404, xCache: 'Error from cloudfront' });
    const { context, pop, warm } = setUp({ addresses: 2, acceptStatus: [404], fault });
    const target = await warm();
    context.separate.found();
    expect(needsEveryAddress(context.separate, target)).toBe(true);
    await warmTarget(context, target, 0);
    expect(target).toMatchObject({ outcome: 'warmed', verified: false });
    expect(pop.asks.length).toBe(3);
  });

  it('a byte is compared with the last whole GET that ended, not with a vain try at a dead address', async () => {
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

  it('every reachable address holds every verified target, whatever was there before and whatever goes wrong', async () => {
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
      {
        numRuns: 300,
        // Connection faults take all three probes, and a range that an earlier visitor left answers the one-byte check.
        examples: [
          [
            {
              addresses: 2,
              large: true,
              lag: 0,
              ranges: [[0, 3]],
              faults: [
                'connection',
                'connection',
                'truncated',
                'connection',
                'connection',
                '503',
                'connection',
                'connection',
                'connection',
              ],
              targets: 4,
            },
          ],
        ],
      },
    );
  });
});
