import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PopResolver } from '../../../core/ports/pop-resolver.ts';

export interface PopResolverUnderTest {
  /**
   * SIN2-P1 has 13.32.0.9, 13.32.0.10 and 10.0.0.1, FRA56-P4 has 10.0.0.1
   * only, and there is no LHR61-P3. Private addresses are refused.
   */
  readonly resolver: PopResolver;
  readonly dispose?: () => void | Promise<void>;
}

const DOMAIN = 'd111111abcdef8.cloudfront.net';

/** What every resolver of POPs does. */
export function describePopResolver(name: string, create: () => PopResolverUnderTest | Promise<PopResolverUnderTest>): void {
  describe(`${name} as a resolver of POPs`, () => {
    let under: PopResolverUnderTest;

    beforeEach(async () => {
      under = await create();
    });
    afterEach(() => under.dispose?.());

    it('a resolver gives the public addresses of a POP in the same order every time', async () => {
      const resolved = await under.resolver.resolvePop(DOMAIN, 'SIN2-P1');
      expect(resolved).toMatchObject({ state: 'resolved', addresses: [{ ip: '13.32.0.10' }, { ip: '13.32.0.9' }] });
      expect(await under.resolver.resolvePop(DOMAIN, 'SIN2-P1')).toEqual(resolved);
    });

    it('a resolver refuses a POP that has private addresses only, and distinguishes it from a missing one', async () => {
      expect(await under.resolver.resolvePop(DOMAIN, 'FRA56-P4')).toMatchObject({ state: 'address_refused' });
      expect(await under.resolver.resolvePop(DOMAIN, 'LHR61-P3')).toMatchObject({ state: 'pop_unresolvable' });
    });

    it('a resolver finds no distribution for a host that belongs to nobody', async () => {
      expect(await under.resolver.findDistribution('www.example.com')).toBeNull();
    });
  });
}
