import type { Clock } from '../clock.ts';
import type { Answer } from '../ports/downloader.ts';
import { AgentLimit } from './agent-limit.ts';
import { InFlightLimit } from './in-flight-limit.ts';

/** Downloads in flight per agent: at most 512 in all (memory), at least 64 where the processor is what bounds (measured optimum near). */
const CEILING = 512;
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

/**
 * What one request has of an agent at one POP: its limit, and who waits for a slot. Retries and checks go before new targets.
 * Requests have lanes of their own, so that one whose origin is slow slows no other at that POP.
 */
export interface Lane {
  inFlight: number;
  readonly limit: InFlightLimit;
  readonly waiting: (() => void)[];
  readonly sources: TargetSource[];
}

export interface Lanes {
  laneOf(requestId: string, pop: string): Lane;
  /** Forgets the lanes of requests that are not among the `active`, once nothing is in flight there. */
  forgetOthers(active: ReadonlySet<string>): void;
  /** Adds a source of targets to the POP's lane and starts what can be started. */
  add(lane: Lane, source: TargetSource): void;
  remove(lane: Lane, source: TargetSource): void;
  /** Resolves when a slot is free; for second and later asks of a target. */
  takeSlot(lane: Lane): Promise<void>;
  /** Gives a slot back after an ask, whose answer adapts the limit; null: nothing was asked. */
  release(lane: Lane, answer: Answer | null): void;
  /** Slots that could be taken at once. */
  free(): number;
  inFlight(): number;
  /** Adapts the limit of the whole agent; call it several times a second. */
  observeLoad(load: number): void;
}

/**
 * `fixed`: exactly this many in flight (`--concurrency`), no adapting; null: the agent finds out, and `floor` is then what it may
 * never go below, neither in all nor at one POP while there is work for it (null: few enough to relieve a POP in trouble).
 */
export function createLanes(clock: Clock, fixed: number | null, floor: number | null = null): Lanes {
  const agentLimit = new AgentLimit(fixed ?? Math.max(START, floor ?? 0), fixed ?? CEILING);
  const laneLimits =
    fixed === null
      ? { start: Math.max(LANE_START, floor ?? 0), floor: floor ?? LANE_FLOOR, ceiling: CEILING }
      : { start: fixed, floor: fixed, ceiling: fixed };
  /** By request, then by POP. */
  const lanes = new Map<string, Map<string, Lane>>();
  /** Lanes with anything to start: those that `fillAll` looks at. */
  const busy = new Set<Lane>();
  let total = 0;
  let load = 0;
  let wasSaturated = false;

  const hasRoom = (lane: Lane) => lane.inFlight < lane.limit.limit && total < agentLimit.limit;

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
        waiter();
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
    const saturated = (lane.waiting.length > 0 || lane.sources.length > 0) && lane.inFlight >= lane.limit.limit;
    if (answer.error === 'timeout' || answer.status === 429 || answer.status >= 500) lane.limit.trouble();
    else lane.limit.ended(clock.now(), answer.bodyBytes, saturated && load < FULL_LOAD);
  }

  return {
    laneOf(requestId, pop) {
      const ofRequest = lanes.get(requestId) ?? new Map<string, Lane>();
      lanes.set(requestId, ofRequest);
      let lane = ofRequest.get(pop);
      if (!lane) {
        lane = { inFlight: 0, limit: new InFlightLimit(laneLimits), waiting: [], sources: [] };
        ofRequest.set(pop, lane);
      }
      return lane;
    },
    forgetOthers(active) {
      for (const [requestId, ofRequest] of lanes) {
        if (active.has(requestId)) continue;
        for (const [pop, lane] of ofRequest) if (lane.inFlight === 0 && !busy.has(lane)) ofRequest.delete(pop);
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
    takeSlot(lane) {
      if (hasRoom(lane) && lane.waiting.length === 0) {
        take(lane);
        return Promise.resolve();
      }
      busy.add(lane);
      return new Promise((resolve) => {
        lane.waiting.push(resolve);
      });
    },
    release(lane, answer) {
      if (answer !== null) adapt(lane, answer);
      giveBack(lane);
      fill(lane);
      if (total < agentLimit.limit) fillAll();
    },
    free: () => Math.max(0, agentLimit.limit - total),
    inFlight: () => total,
    observeLoad(observed) {
      load = observed;
      agentLimit.observe(load, wasSaturated);
      wasSaturated = false;
      fillAll();
    },
  };
}
