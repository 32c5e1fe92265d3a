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

/** Which requests wait for slots at which POPs, and how many downloads are in flight there. */
class AgentLanes implements Lanes {
  readonly #clock: Clock;
  readonly #agentLimit: AgentLimit;
  readonly #laneLimits: { readonly start: number; readonly floor: number; readonly ceiling: number };
  /** By request, then by POP. */
  readonly #lanes = new Map<string, Map<string, Lane>>();
  /** Lanes with anything to start: those that `#fillAll` looks at. */
  readonly #busy = new Set<Lane>();
  #total = 0;
  #load = 0;
  #wasSaturated = false;

  constructor(clock: Clock, fixed: number | null, floor: number | null) {
    this.#clock = clock;
    this.#agentLimit = new AgentLimit(fixed ?? Math.max(START, floor ?? 0), fixed ?? MAX_IN_FLIGHT);
    this.#laneLimits =
      fixed === null
        ? { start: Math.max(LANE_START, floor ?? 0), floor: floor ?? LANE_FLOOR, ceiling: MAX_IN_FLIGHT }
        : { start: fixed, floor: fixed, ceiling: fixed };
  }

  laneOf(requestId: string, pop: string): Lane {
    const ofRequest = this.#lanes.get(requestId) ?? new Map<string, Lane>();
    this.#lanes.set(requestId, ofRequest);
    let lane = ofRequest.get(pop);
    if (!lane) {
      lane = { inFlight: 0, limit: new InFlightLimit(this.#laneLimits), waiting: [], sources: [], hold: null };
      ofRequest.set(pop, lane);
    }
    return lane;
  }

  forgetOthers(active: ReadonlySet<string>): void {
    for (const [requestId, ofRequest] of this.#lanes) {
      if (active.has(requestId)) continue;
      for (const [pop, lane] of ofRequest) {
        if (lane.inFlight > 0 || this.#busy.has(lane)) continue;
        lane.hold?.cancel();
        ofRequest.delete(pop);
      }
      if (ofRequest.size === 0) this.#lanes.delete(requestId);
    }
  }

  add(lane: Lane, source: TargetSource): void {
    lane.sources.push(source);
    this.#busy.add(lane);
    this.#fill(lane);
  }

  remove(lane: Lane, source: TargetSource): void {
    const at = lane.sources.indexOf(source);
    if (at >= 0) lane.sources.splice(at, 1);
  }

  takeSlot(lane: Lane, scope: AskScope): Promise<boolean> {
    if (scope.cancelled) return Promise.resolve(false);
    if (this.#hasRoom(lane) && lane.waiting.length === 0) {
      this.#take(lane);
      return Promise.resolve(true);
    }
    this.#busy.add(lane);
    return new Promise((resolve) => {
      lane.waiting.push({ scope, resolve });
    });
  }

  withdraw(lane: Lane, scope: AskScope): void {
    const others = lane.waiting.filter((waiter) => waiter.scope !== scope);
    for (const waiter of lane.waiting.splice(0, lane.waiting.length, ...others)) if (waiter.scope === scope) waiter.resolve(false);
  }

  release(lane: Lane, answer: Answer | null): void {
    if (answer !== null) this.#adapt(lane, answer);
    this.#giveBack(lane);
    this.#fill(lane);
    if (this.#total < this.#agentLimit.limit) this.#fillAll();
  }

  heldMs({ hold }: Lane): number {
    return hold === null ? 0 : Math.max(1, hold.until - this.#clock.now());
  }

  free(): number {
    return Math.max(0, this.#agentLimit.limit - this.#total);
  }

  inFlight(): number {
    return this.#total;
  }

  inFlightOf(requestId: string): number {
    let inFlight = 0;
    for (const lane of this.#lanes.get(requestId)?.values() ?? []) inFlight += lane.inFlight;
    return inFlight;
  }

  observeLoad(observed: number): void {
    this.#load = observed;
    this.#agentLimit.observe(observed, this.#wasSaturated);
    this.#wasSaturated = false;
    this.#fillAll();
  }

  close(): void {
    for (const ofRequest of this.#lanes.values()) for (const lane of ofRequest.values()) lane.hold?.cancel();
  }

  #hasRoom(lane: Lane): boolean {
    return lane.hold === null && lane.inFlight < lane.limit.limit && this.#total < this.#agentLimit.limit;
  }

  #take(lane: Lane): void {
    lane.inFlight++;
    this.#total++;
  }

  #giveBack(lane: Lane): void {
    lane.inFlight--;
    this.#total--;
  }

  #fill(lane: Lane): void {
    while (this.#hasRoom(lane)) {
      const waiter = lane.waiting.shift();
      if (waiter) {
        this.#take(lane);
        waiter.resolve(true);
        continue;
      }
      const source = lane.sources[0];
      if (!source) return;
      this.#take(lane);
      if (source.startNext()) continue;
      this.#giveBack(lane);
      lane.sources.shift();
    }
    if (this.#total >= this.#agentLimit.limit) this.#wasSaturated = true;
  }

  #fillAll(): void {
    for (const lane of this.#busy) {
      this.#fill(lane);
      if (lane.waiting.length === 0 && lane.sources.length === 0) this.#busy.delete(lane);
    }
  }

  #adapt(lane: Lane, answer: Answer): void {
    if (answer.error === 'cancelled') return;
    const saturated = (lane.waiting.length > 0 || lane.sources.length > 0) && lane.inFlight >= lane.limit.limit;
    if (isTrouble(answer)) lane.limit.trouble();
    else lane.limit.ended(this.#clock.now(), answer.bodyBytes, saturated && this.#load < FULL_LOAD);
    const wait = askedWaitMs(answer);
    if (wait > 0) this.#holdFor(lane, wait);
  }

  /** Begins nothing in the lane for so long; the longest wait that was asked for counts. */
  #holdFor(lane: Lane, ms: number): void {
    const until = this.#clock.now() + ms;
    if (lane.hold !== null && until <= lane.hold.until) return;
    lane.hold?.cancel();
    const cancel = this.#clock.after(ms, () => {
      lane.hold = null;
      this.#fill(lane);
    });
    lane.hold = { until, cancel };
  }
}

/**
 * `fixed`: exactly this many in flight (`--concurrency`), no adapting; null: the agent finds out, and `floor` is then what it may
 * never go below, neither in all nor at one POP while there is work for it (null: few enough to relieve a POP in trouble).
 */
export function createLanes(clock: Clock, fixed: number | null, floor: number | null = null): Lanes {
  return new AgentLanes(clock, fixed, floor);
}
