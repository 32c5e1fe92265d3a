import type { RequestStore } from '../../../core/ports/request-store.ts';
import { isEnded } from '../../../core/request/request.ts';
import { accounted } from '../../../core/work/counters.ts';
import { startCallers } from './callers.ts';
import { checkRequest } from './invariants.ts';
import type { PlantedBug } from './planted-bugs.ts';
import { startSabotage } from './sabotage.ts';
import { BRISK_MS, createSimFleet, type SimFleet } from './sim-fleet.ts';
import { type SimWorker, startSimWorker } from './sim-worker.ts';
import { createWorld, type World } from './world.ts';

export interface SimulationResult {
  readonly seed: number;
  /** Empty: every invariant held. */
  readonly violations: readonly string[];
  /** Of every event, in order: the same seed gives the same. */
  readonly hash: string;
  readonly virtualMs: number;
  /** Faults and disturbances, by kind. */
  readonly seen: ReadonlyMap<string, number>;
  /** How requests ended, and for what reasons targets failed, with how often. */
  readonly outcomes: ReadonlyMap<string, number>;
}

export interface SimulateOptions {
  readonly bug?: PlantedBug | null;
  readonly onLine?: (line: string) => void;
}

/** With nothing gone on for so long after the calm, nothing ever will. */
const STALLED_MS = 5 * 60_000;
/** Dead addresses cost seconds each, but not for ever. */
const ENDS_WITHIN_MS = 3 * 60 * 60_000;
const LOOK_EVERY_MS = 500;

/** One whole run of the product, decided by `seed`: what happened, and which invariants did not hold. */
export async function simulate(seed: number, { bug = null, onLine }: SimulateOptions = {}): Promise<SimulationResult> {
  const world = createWorld({ seed, bug, onLine: onLine ?? null });
  const { scenario, time, journal, faults } = world;
  try {
    const store = world.storeFor(time);
    const fleet = createSimFleet(world);
    const workers = Array.from({ length: scenario.workers }, (_, number) => startSimWorker(world, fleet, number));
    startCallers(world, workers, store);
    startSabotage(world, fleet, workers);
    await time.run(endOf(world, fleet, workers), ENDS_WITHIN_MS);
    // What follows from a violation would only hide it.
    if (journal.violations.length === 0) {
      for (const request of scenario.requests) await checkRequest(world, store, request);
      checkNothingIsLeft(world, fleet);
    }
    const outcomes = await outcomesOf(world, store);
    return { seed, violations: journal.violations, hash: journal.hash(), virtualMs: time.now(), seen: faults.seen, outcomes };
  } finally {
    world.close();
  }
}

async function outcomesOf({ scenario }: World, store: RequestStore): Promise<ReadonlyMap<string, number>> {
  const outcomes = new Map<string, number>();
  const add = (outcome: string, by: number) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + by);
  for (const { id } of scenario.requests) {
    const row = await store.get(id);
    add(`ended ${row?.status ?? 'nowhere'}`, 1);
    for (const [key, by] of Object.entries(row?.counters ?? {})) if (!/^(first|last)\./.test(key)) add(key, by);
  }
  return outcomes;
}

/** When somebody outside does something for the last time, or a request's time is up. */
function lastDeed({ scenario }: World): number {
  const deeds = scenario.requests.map(({ arrivesAt, stopsAt, claimChange, spec }) =>
    Math.max(arrivesAt + (spec.timeoutMinutes ?? 0) * 60_000, claimChange?.at ?? 0, ...stopsAt),
  );
  return Math.max(...deeds);
}

/** Looks now and then whether all is over, or nothing goes on any more. A look itself changes nothing. */
function endOf(world: World, fleet: SimFleet, workers: readonly SimWorker[]): () => boolean {
  const { time, scenario, faults, journal } = world;
  const store = world.storeFor(time);
  const quietFrom = Math.max(faults.calmFrom, lastDeed(world));
  let isOver = false;
  let before = '';
  let changedAt = 0;
  const isQuiet = () =>
    fleet.capacity === 0 &&
    fleet.processes().length === 0 &&
    leftOvers(world).length === 0 &&
    workers.some((worker) => worker.running() !== null);

  async function look(): Promise<void> {
    const states = await Promise.all(scenario.requests.map(({ id }) => stateOf(store, id)));
    isOver = states.every(({ isOver: over }) => over) && isQuiet();
    const now = states.map(({ text }) => text).join(', ');
    if (now !== before || time.now() < quietFrom) changedAt = time.now();
    before = now;
    if (time.now() - changedAt > STALLED_MS) journal.violated(`nothing goes on any more: ${now}`);
    lookLater();
  }
  const lookLater = () => {
    time.after(LOOK_EVERY_MS, () => {
      look().catch((error: unknown) => journal.violated(`looking failed: ${String(error)}`));
    });
  };
  lookLater();
  return () => isOver || journal.violations.length > 0;
}

/** How far a request has come; unfinished tasks tell by their provisional figures. */
async function stateOf(store: RequestStore, id: string): Promise<{ readonly text: string; readonly isOver: boolean }> {
  const row = await store.get(id);
  if (row === null) return { text: `${id} is not there`, isOver: false };
  const ahead = (await store.listProvisional(id)).map(({ count }) => count);
  const text = `${id} is ${row.status} (parts ${row.sizing.parts}, targets ${accounted(row.counters)}, ahead ${ahead.join('+') || 0})`;
  return { text, isOver: isEnded(row.status) };
}

function leftOvers({ outbox, timers }: World): string[] {
  const left: string[] = [];
  if (outbox.take('request', 1).length + outbox.take('task', 1).length > 0) left.push('changes are left in the outbox');
  if (timers.takeDue(Number.MAX_SAFE_INTEGER, 1).length > 0) left.push('a timer is left');
  return left;
}

function checkNothingIsLeft(world: World, fleet: SimFleet): void {
  for (const left of leftOvers(world)) world.journal.violated(`after the last request ${left}`);
  if (fleet.capacity !== 0) world.journal.violated(`after the last request the fleet has a capacity of ${fleet.capacity}`);
  if (fleet.processes().length > 0) world.journal.violated('agents run on after the last request');
  const isOnlyDisturbance = world.faults.seen.size === 1 && world.faults.seen.has('received again');
  if (isOnlyDisturbance && world.scenario.pace.maximumMs <= BRISK_MS) world.journal.violated('a lease ran out while its agent was at work');
}
