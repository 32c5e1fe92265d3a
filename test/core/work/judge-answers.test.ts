import { describe, expect, it } from 'vitest';
import { createServedByReader } from '../../../core/pops/served-by.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { addressOf, LARGE, setUp, shape, SMALL, URL_1 } from './warm-fixture.ts';

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
  ] as const)('the judge ends %s as its reason after the right number of attempts', async (_name, fault, reason, attempts) => {
    const { warm } = setUp({ fault: () => fault });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason, attempts });
  });

  it('the judge goes round the addresses after a fault, and the last attempt decides', async () => {
    const { pop, warm } = setUp({ addresses: 4, fault: (_ask, index) => (index < 3 ? { error: 'connection' } : null) });
    expect(await warm()).toMatchObject({ outcome: 'warmed' });
    expect(shape(pop.asks)).toBe('1 2 3 4 1');
  });

  it('the judge calls a hit warmed after an attempt that received headers, since this run may have brought it in', async () => {
    const { pop, context, warm } = setUp({ fault: (_ask, index) => (index === 0 ? { error: 'truncated', status: 200 } : null) });
    pop.store(addressOf(context, 0), URL_1);
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, attempts: 2 });
  });

  it('the judge calls a hit already warm after an attempt that never got an answer', async () => {
    const { pop, context, warm } = setUp({ fault: (_ask, index) => (index === 0 ? { error: 'connection' } : null) });
    pop.store(addressOf(context, 0), URL_1);
    expect(await warm()).toMatchObject({ outcome: 'already_warm' });
  });

  it('the judge counts another POP of the same city and notes it', async () => {
    const { warm } = setUp({ fault: () => ({ servedBy: 'SIN52-C2' }) });
    const target = await warm();
    expect(target).toMatchObject({ outcome: 'warmed', near: true });
    expect(target.notes([], true)).toBe('verified;near');
  });

  it('the judge counts another airport of the same city', async () => {
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
  ])('the judge counts %s', async (_name, servedBy, near) => {
    const { warm } = setUp({ fault: () => ({ servedBy }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: true, near });
  });

  it.each([
    ['nginx', 'HIT', false],
    ['a cache that writes in capitals', 'HIT from cloudfront', false],
    ['a cache behind another one', 'Miss from cloudfront, Hit from cloudfront', false],
    ['two lines and blanks', ' Miss from cloudfront ,  hit from cloudfront , ', false],
    ['a refreshed copy', 'RefreshHit from cloudfront', true],
    ['nginx that asked the origin', 'REVALIDATED', true],
  ])('the judge takes the word of %s for a hit: %j', async (_name, xCache, revalidates) => {
    const { warm } = setUp({ fault: () => ({ xCache }) });
    expect(await warm()).toMatchObject({ outcome: 'already_warm', verified: true, revalidates, attempts: 1 });
  });

  it.each(['EXPIRED', 'BYPASS', 'STALE', 'UPDATING', 'miss', 'hit-for-pass', 'HITMISS'])(
    'the judge takes %s for a miss',
    async (xCache) => {
      const { warm } = setUp({ fault: () => ({ xCache }) });
      expect(await warm()).toMatchObject({ outcome: 'failed', reason: 'not_cached', attempts: 5 });
    },
  );

  it.each([
    ['an error page at a whole check', SMALL, { xCache: 'Error from cloudfront' }, 'error_page'],
    ['an error page at a byte check', LARGE, { xCache: 'Error from cloudfront' }, 'error_page'],
    ['a challenge at a whole check', SMALL, { status: 202, wafAction: 'challenge', xCache: 'Hit from cloudfront' }, 'challenged'],
    ['a challenge at a byte check', LARGE, { wafAction: 'challenge', xCache: 'Hit from cloudfront' }, 'challenged'],
    ['a part at a whole check', SMALL, { status: 206, xCache: 'Hit from cloudfront' }, 'status_206'],
    ['a hit of another POP at a check', LARGE, { servedBy: 'FRA56-P4', xCache: 'Hit from cloudfront' }, 'wrong_pop'],
  ] as const)('the judge never calls an answer with %s warm', async (_name, bytes, fault, reason) => {
    const { warm } = setUp({ object: { bytes }, fault: (_ask, index) => (index === 0 ? null : fault) });
    expect(await warm()).toMatchObject({ outcome: 'failed', reason, verified: false, attempts: 2 });
  });

  it.each([
    ['an error page whose status the request lists', [200], { xCache: 'Error from cloudfront' }, { outcome: 'warmed', verified: false }],
    ['an error page of another status', [404], { xCache: 'Error from cloudfront' }, { outcome: 'failed', reason: 'error_page' }],
    ['a challenge', [202], { status: 202, wafAction: 'challenge', xCache: 'Hit from cloudfront' }, { reason: 'challenged' }],
    ['a part', [206], { status: 206, xCache: 'Hit from cloudfront' }, { outcome: 'failed', reason: 'status_206' }],
  ] as const)('the judge gives %s although the request accepts %j', async (_name, acceptStatus, fault, result) => {
    const { warm } = setUp({ acceptStatus, fault: () => fault });
    expect(await warm()).toMatchObject(result);
  });

  it('the judge accepts a status that the request lists, and calls it unverified where the edge only says Error', async () => {
    const { warm } = setUp({ acceptStatus: [404], fault: () => ({ status: 404, xCache: 'Error from cloudfront' }) });
    expect(await warm()).toMatchObject({ outcome: 'warmed', verified: false });
  });
});
