import type { Clock } from '../clock.ts';
import { askedWaitMs } from './patience.ts';
import type { Answer, AskScope } from '../ports/downloader.ts';
import { AgentLimit } from './agent-limit.ts';
import { InFlightLimit } from './in-flight-limit.ts';

/** The most downloads in flight of one agent: more would take too much memory. */
export const MAX_IN_FLIGHT = 512;
/** Where an agent begins: near the optimum where the processor is what bounds (measured). */
const START = 64;
/** At one POP: few at first, since each takes a connection, and near POPs need no more; far ones double within a few round trips. */
const LANE_START = 16;
const LANE_FLOOR = 4;
/** Above this share of a busy event loop more in flight at a POP cannot pay. */
const FULL_LOAD = 0.85;

/** Work that can begin another target now, or has none left. */
export interface TargetSource {
  /** Begins the next target, which takes the slot and gives it back; false: none is left. */
  startNext(): boolean;
}

/** Who waits for a slot: true is that it was taken, false that the scope was cancelled. */
interface Waiter {
  readonly scope: AskScope;
  readonly resolve: (taken: boolean) => void;
}

/**
 * What one request has of an agent at one POP: its limit, and who waits for a slot. Retries and checks go before new targets.
 * Requests have lanes of their own, so that one whose origin is slow slows no other at that POP.
 */
export interface Lane {
  inFlight: number;
  readonly limit: InFlightLimit;
  readonly waiting: Waiter[];
  readonly sources: TargetSource[];
  /** Until when nothing begins here, because the POP asked for it; null: nothing holds it. */
  hold: { readonly until: number; readonly cancel: () => void } | null;
}

/** Whether an answer tells of a POP or origin in trouble, and not of the object. */
function isTrouble({ error, status }: Answer): boolean {
  if (error !== null) return error !== 'cancelled' && error !== 'address_refused';
  return status === 429 || status >= 500;
}

export interface Lanes {
  laneOf(requestId: string, pop: string): Lane;
  /** Forgets the lanes of requests that are not among the `active`, once nothing is in flight there. */
  forgetOthers(active: ReadonlySet<string>): void;
  /** Adds a source of targets to the POP's lane and starts what can be started. */
  add(lane: Lane, source: TargetSource): void;
  remove(lane: Lane, source: TargetSource): void;
  /** Resolves with true when a slot was taken, with false when the scope was withdrawn first. For second and later asks of a target. */
  takeSlot(lane: Lane, scope: AskScope): Promise<boolean>;
  /** Lets nobody of a cancelled scope wait any longer. */
  withdraw(lane: Lane, scope: AskScope): void;
  /** Gives a slot back after an ask, whose answer adapts the limit; null: nothing was asked. */
  release(lane: Lane, answer: Answer | null): void;
  /** For how long nothing begins in the lane yet, milliseconds; 0: nothing holds it. */
  heldMs(lane: Lane): number;
  /** Slots that could be taken at once. */
  free(): number;
  inFlight(): number;
  inFlightOf(requestId: string): number;
  /** Adapts the limit of the whole agent; call it several times a second. */
  observeLoad(load: number): void;
  /** Holds nothing any longer, so that no timer outlives the agent. */
  close(): void;
}

/**
 * `fixed`: exactly this many in flight (`--concurrency`), no adapting; null: the agent finds out, and `floor` is then what it may
 * never go below, neither in all nor at one POP while there is work for it (null: few enough to relieve a POP in trouble).
 */
export function createLanes(clock: Clock, fixed: number | null, floor: number | null = null): Lanes {
  const agentLimit = new AgentLimit(fixed ?? Math.max(START, floor ?? 0), fixed ?? MAX_IN_FLIGHT);
  const laneLimits =
    fixed === null
      ? { start: Math.max(LANE_START, floor ?? 0), floor: floor ?? LANE_FLOOR, ceiling: MAX_IN_FLIGHT }
      : { start: fixed, floor: fixed, ceiling: fixed };
  /** By request, then by POP. */
  const lanes = new Map<string, Map<string, Lane>>();
  /** Lanes with anything to start: those that `fillAll` looks at. */
  const busy = new Set<Lane>();
  let total = 0;
  let load = 0;
  let wasSaturated = false;

  const hasRoom = (lane: Lane) => lane.hold === null && lane.inFlight < lane.limit.limit && total < agentLimit.limit;

  function take(lane: Lane): void {
    lane.inFlight++;
    total++;
  }

  function giveBack(lane: Lane): void {
    lane.inFlight--;
    total--;
  }

  function fill(lane: Lane): void {
    while (hasRoom(lane)) {
      const waiter = lane.waiting.shift();
      if (waiter) {
        take(lane);
        waiter.resolve(true);
        continue;
      }
      const source = lane.sources[0];
      if (!source) return;
      take(lane);
      if (source.startNext()) continue;
      giveBack(lane);
      lane.sources.shift();
    }
    if (total >= agentLimit.limit) wasSaturated = true;
  }

  function fillAll(): void {
    for (const lane of busy) {
      fill(lane);
      if (lane.waiting.length === 0 && lane.sources.length === 0) busy.delete(lane);
    }
  }

  function adapt(lane: Lane, answer: Answer): void {
    if (answer.error === 'cancelled') return;
    const saturated = (lane.waiting.length > 0 || lane.sources.length > 0) && lane.inFlight >= lane.limit.limit;
    if (isTrouble(answer)) lane.limit.trouble();
    else lane.limit.ended(clock.now(), answer.bodyBytes, saturated && load < FULL_LOAD);
    const wait = askedWaitMs(answer);
    if (wait > 0) holdFor(lane, wait);
  }

  /** Begins nothing in the lane for so long; the longest wait that was asked for counts. */
  function holdFor(lane: Lane, ms: number): void {
    const until = clock.now() + ms;
    if (lane.hold !== null && until <= lane.hold.until) return;
    lane.hold?.cancel();
    const cancel = clock.after(ms, () => {
      lane.hold = null;
      fill(lane);
    });
    lane.hold = { until, cancel };
  }

  return {
    laneOf(requestId, pop) {
      const ofRequest = lanes.get(requestId) ?? new Map<string, Lane>();
      lanes.set(requestId, ofRequest);
      let lane = ofRequest.get(pop);
      if (!lane) {
        lane = { inFlight: 0, limit: new InFlightLimit(laneLimits), waiting: [], sources: [], hold: null };
        ofRequest.set(pop, lane);
      }
      return lane;
    },
    forgetOthers(active) {
      for (const [requestId, ofRequest] of lanes) {
        if (active.has(requestId)) continue;
        for (const [pop, lane] of ofRequest) {
          if (lane.inFlight > 0 || busy.has(lane)) continue;
          lane.hold?.cancel();
          ofRequest.delete(pop);
        }
        if (ofRequest.size === 0) lanes.delete(requestId);
      }
    },
    add(lane, source) {
      lane.sources.push(source);
      busy.add(lane);
      fill(lane);
    },
    remove(lane, source) {
      const at = lane.sources.indexOf(source);
      if (at >= 0) lane.sources.splice(at, 1);
    },
    takeSlot(lane, scope) {
      if (scope.cancelled) return Promise.resolve(false);
      if (hasRoom(lane) && lane.waiting.length === 0) {
        take(lane);
        return Promise.resolve(true);
      }
      busy.add(lane);
      return new Promise((resolve) => {
        lane.waiting.push({ scope, resolve });
      });
    },
    withdraw(lane, scope) {
      const others = lane.waiting.filter((waiter) => waiter.scope !== scope);
      for (const waiter of lane.waiting.splice(0, lane.waiting.length, ...others)) if (waiter.scope === scope) waiter.resolve(false);
    },
    release(lane, answer) {
      if (answer !== null) adapt(lane, answer);
      giveBack(lane);
      fill(lane);
      if (total < agentLimit.limit) fillAll();
    },
    heldMs: ({ hold }) => (hold === null ? 0 : Math.max(1, hold.until - clock.now())),
    free: () => Math.max(0, agentLimit.limit - total),
    inFlight: () => total,
    inFlightOf(requestId) {
      let inFlight = 0;
      for (const lane of lanes.get(requestId)?.values() ?? []) inFlight += lane.inFlight;
      return inFlight;
    },
    observeLoad(observed) {
      load = observed;
      agentLimit.observe(load, wasSaturated);
      wasSaturated = false;
      fillAll();
    },
    close() {
      for (const ofRequest of lanes.values()) for (const lane of ofRequest.values()) lane.hold?.cancel();
    },
  };
}
