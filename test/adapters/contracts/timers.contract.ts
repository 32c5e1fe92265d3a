import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Timers } from '../../../core/ports/ports.ts';

export interface TimersUnderTest {
  readonly timers: Timers;
  /** Requests whose timer would have fired at `now`. */
  readonly due: (now: number) => Promise<readonly string[]>;
  readonly dispose?: () => void | Promise<void>;
}

/** What every kind of timers does. */
export function describeTimers(name: string, create: () => TimersUnderTest | Promise<TimersUnderTest>): void {
  describe(`${name} as timers`, () => {
    let under: TimersUnderTest;

    beforeEach(async () => {
      under = await create();
    });
    afterEach(() => under.dispose?.());

    it('timers are due from their time on', async () => {
      await under.timers.set('r1', 4_000_000_060_000);
      expect(await under.due(4_000_000_059_999)).toEqual([]);
      expect(await under.due(4_000_000_060_000)).toEqual(['r1']);
    });

    it('timers are replaced when set again, to earlier or later', async () => {
      await under.timers.set('r1', 4_000_000_060_000);
      await under.timers.set('r1', 4_000_000_120_000);
      expect(await under.due(4_000_000_060_000)).toEqual([]);
      await under.timers.set('r1', 4_000_000_030_000);
      expect(await under.due(4_000_000_060_000)).toEqual(['r1']);
    });

    it('timers are gone when cancelled, and cancelling none is no error', async () => {
      await under.timers.set('r1', 4_000_000_060_000);
      await under.timers.set('r2', 4_000_000_060_000);
      await under.timers.cancel('r1');
      await under.timers.cancel('r1');
      await under.timers.cancel('never-set');
      expect(await under.due(4_100_000_000_000)).toEqual(['r2']);
    });
  });
}
