import type { SimFleet } from './sim-fleet.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimWorker } from './sim-worker.ts';
import type { World } from './world.ts';

const MAX_FREEZE_MS = 20_000;
const MAX_JUMP_FORWARD_MS = 30_000;
const MAX_JUMP_BACK_MS = 3000;
/** Clocks that are further off than this are not what a system with time synchronisation has to stand. */
const MAX_OFFSET_MS = 60_000;

/** What befalls processes from outside, from time to time, until the calm. */
export function startSabotage(world: World, fleet: SimFleet, workers: readonly SimWorker[]): void {
  const { time, faults } = world;
  const random = world.random.fork('sabotage');
  const meanMs = random.pick([1000, 4000, 15_000]);

  function befall(victim: SimProcess): void {
    const strikes = (kind: Parameters<typeof faults.strikes>[0]) => faults.strikes(kind, random, victim.name);
    if (strikes('clock_jump')) jump(victim);
    if (strikes('freeze')) victim.freeze(random.between(100, MAX_FREEZE_MS));
    if (strikes('sigterm')) fleet.terminate(victim);
    if (strikes('kill')) victim.end('kill -9');
  }

  function jump({ host }: SimProcess): void {
    const by = random.chance(0.5) ? random.between(0, MAX_JUMP_FORWARD_MS) : -random.between(0, MAX_JUMP_BACK_MS);
    host.offsetMs = Math.max(-MAX_JUMP_BACK_MS, Math.min(MAX_OFFSET_MS, host.offsetMs + by));
  }

  function again(): void {
    if (time.now() >= faults.calmFrom) return;
    const victims = [...fleet.processes(), ...workers.flatMap((worker) => worker.running()?.process ?? [])];
    if (victims.length > 0) befall(random.pick(victims));
    time.after(random.between(1, 2 * meanMs), again);
  }
  again();
}
