import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Invalidations } from '../../../core/ports/invalidations.ts';

export interface InvalidationsUnderTest {
  readonly invalidations: Invalidations;
  /** The distribution to invalidate; null where there is one only. */
  readonly domain: string | null;
  readonly dispose?: () => void | Promise<void>;
}

/** What everything that invalidates does. */
export function describeInvalidations(name: string, create: () => InvalidationsUnderTest | Promise<InvalidationsUnderTest>): void {
  describe(`${name} as invalidations`, () => {
    let under: InvalidationsUnderTest;

    beforeEach(async () => {
      under = await create();
    });
    afterEach(() => under.dispose?.());

    const ask = (reference: string, paths: readonly string[]) => under.invalidations.create(under.domain, reference, paths);
    const begin = async (reference: string, paths: readonly string[]): Promise<string> => {
      const created = await ask(reference, paths);
      if ('refused' in created) throw new Error(created.refused);
      return created.id;
    };

    it('invalidations are complete in the end', async () => {
      const id = await begin('r1-0', ['/a', '/b?x=1&y=2']);
      await expect.poll(() => under.invalidations.isComplete(under.domain, id), { timeout: 10_000, interval: 20 }).toBe(true);
    });

    it('invalidations are the same for the same batch, whoever creates it again, and others for others', async () => {
      const id = await begin('r1-0', ['/a', '/b']);
      expect(await begin('r1-0', ['/a', '/b'])).toBe(id);
      expect(await begin('r1-1', ['/a', '/b'])).not.toBe(id);
    });

    it('invalidations are refused when a reference comes with other paths, and when nobody created them', async () => {
      await begin('r1-0', ['/a']);
      await expect(ask('r1-0', ['/other'])).rejects.toMatchObject({ name: 'PrewarmError', code: 'invalidation' });
      await expect(under.invalidations.isComplete(under.domain, 'I2J0I21PCUYOIK')).rejects.toMatchObject({ code: 'invalidation' });
    });

    it('invalidations take as many paths as the port says', async () => {
      const id = await begin(
        'r1-0',
        Array.from({ length: 3000 }, (_, number) => `/path/${number}?version=1`),
      );
      expect(
        await begin(
          'r1-0',
          Array.from({ length: 3000 }, (_, number) => `/path/${number}?version=1`),
        ),
      ).toBe(id);
    });
  });
}
