import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Fleet } from '../../../core/ports/fleet.ts';

export interface FleetUnderTest {
  /** Of at most 3 agents, none of them started. */
  readonly fleet: Fleet;
  /** Agents there are at the moment, those on their way out left out. */
  readonly agents: () => number | Promise<number>;
  readonly dispose?: () => void | Promise<void>;
}

/** What every fleet does. */
export function describeFleet(name: string, create: () => FleetUnderTest | Promise<FleetUnderTest>): void {
  describe(`${name} as a fleet`, () => {
    let under: FleetUnderTest;
    let fleet: Fleet;

    beforeEach(async () => {
      under = await create();
      fleet = under.fleet;
    });
    afterEach(() => under.dispose?.());

    const become = (agents: number) => vi.waitUntil(async () => (await under.agents()) === agents, { timeout: 10_000, interval: 20 });

    it('a fleet begins with no agents and has as many as it was set to last', async () => {
      expect(await fleet.getCapacity()).toBe(0);
      expect(await under.agents()).toBe(0);
      for (const agents of [2, 3, 3, 1, 0]) {
        await fleet.setCapacity(agents);
        expect(await fleet.getCapacity()).toBe(agents);
        await become(agents);
      }
    });

    it('a fleet stays between none and its maximum, whatever it is set to', async () => {
      expect(fleet.maximum).toBe(3);
      await fleet.setCapacity(1000);
      expect(await fleet.getCapacity()).toBe(3);
      await become(3);
      await fleet.setCapacity(-1);
      expect(await fleet.getCapacity()).toBe(0);
      await become(0);
    });
  });
}
