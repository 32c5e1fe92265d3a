import { AddressTurn, type EdgeAddress } from '../pops/address.ts';
import { CancellableScope, pauseIn } from '../ask-scope.ts';
import type { Clock } from '../clock.ts';
import type { Answer, AskScope, Downloader } from '../ports/downloader.ts';
import type { PopResolution, PopResolver } from '../ports/pop-resolver.ts';
import { readServedBy, type SameCity } from '../pops/served-by.ts';
import type { Header } from '../request/request.ts';
import { askingServerTiming } from '../work/server-timing.ts';
import { readXCache } from '../work/x-cache.ts';
import { createOriginConnectionJudge, type OriginConnection, type OriginConnectionJudge } from './origin-connection.ts';
import { type KeepWarmRoute, type Lane, lanesOf, type PlannedRequest, planRun } from './route.ts';

/** Why a planned request was not sent. `busy`: too many are under way; `late`: its time had passed. */
type UnsentReason = 'busy' | 'late' | 'pop_unresolvable' | 'address_refused';

/** What became of a planned request, told as it happens. */
export type KeepWarmEvent =
  | { readonly kind: 'unsent'; readonly lane: Lane; readonly reason: UnsentReason; readonly detail: string }
  /** `lateMs`: behind its plan. */
  | { readonly kind: 'sent'; readonly lane: Lane; readonly lateMs: number }
  /** `reason`: null where all is well, else a stable code such as `status_503`, `timeout` or `wrong_pop`. */
  | {
      readonly kind: 'ended';
      readonly lane: Lane;
      readonly reason: string | null;
      readonly answer: Answer;
      readonly origin: OriginConnection;
    }
  /** Broken off, by the end of the run or whoever stopped it, before its own time was over: says nothing about the POP. */
  | { readonly kind: 'stopped'; readonly lane: Lane };

export interface KeepWarmPorts {
  readonly resolver: Pick<PopResolver, 'resolvePop'>;
  readonly downloader: Pick<Downloader, 'ask'>;
  readonly clock: Clock;
  /** Whether an answer of one POP serves another one's city. */
  readonly sameCity: SameCity;
}

export interface KeepWarmLimits {
  /** From sending to the end of the body. Default 10,000. */
  readonly timeoutMs?: number;
  /** Under way at a time through one POP, over all runs. Default 32. */
  readonly maxInFlightPerPop?: number;
  /** The same of all POPs together. Default 512. */
  readonly maxInFlight?: number;
}

interface KeepWarmRun {
  /** Numbers the runs, so that few requests go round many addresses. */
  readonly run: number;
  /** The requests are spread over so much from now on. */
  readonly spanMs: number;
  /** What is under way then is broken off. */
  readonly endMs: number;
  readonly record: (event: KeepWarmEvent) => void;
  /** Cancelled: nothing more is sent, and what is under way is broken off. */
  readonly scope: AskScope;
}

export interface KeepWarmSender {
  /**
   * Sends one run of the routes and resolves when all of it has ended. What POPs do wrong is told to `record`, and disturbs no
   * other POP; nothing is sent twice. Runs may overlap, and share the limits. Rejects for faults of the program only.
   */
  send(routes: readonly KeepWarmRoute[], run: KeepWarmRun): Promise<void>;
}

/** What could not be sent by then (a resolver that is silent, a machine that slept) is left out: it would only crowd the others. */
const MAX_LATE_MS = 1000;

/** Requests under way, by lane and in all. */
function createInFlight(maxPerLane: number, max: number) {
  const byLane = new Map<string, number>();
  let all = 0;
  const change = (key: string, by: number) => {
    byLane.set(key, (byLane.get(key) ?? 0) + by);
    all += by;
  };
  return {
    isFull: (key: string) => all >= max || (byLane.get(key) ?? 0) >= maxPerLane,
    enter: (key: string) => change(key, 1),
    leave: (key: string) => change(key, -1),
  };
}

interface Sending {
  readonly startedAt: number;
  readonly run: KeepWarmRun;
  readonly resolutions: ReadonlyMap<string, Promise<PopResolution>>;
}

export function createKeepWarmSender(ports: KeepWarmPorts, limits: KeepWarmLimits = {}): KeepWarmSender {
  const { resolver, downloader, clock, sameCity } = ports;
  const { timeoutMs = 10_000, maxInFlightPerPop = 32, maxInFlight = 512 } = limits;
  const inFlight = createInFlight(maxInFlightPerPop, maxInFlight);
  const judges = new Map<string, OriginConnectionJudge>();
  const turns = new Map<string, AddressTurn>();

  /** Made once per route, so that the downloader sees the same headers each time. */
  const asking = new WeakMap<KeepWarmRoute, readonly Header[]>();

  function headersOf(route: KeepWarmRoute): readonly Header[] {
    const headers = asking.get(route) ?? askingServerTiming(route.headers);
    asking.set(route, headers);
    return headers;
  }

  function judgeOf({ key }: Lane): OriginConnectionJudge {
    const judge = judges.get(key) ?? createOriginConnectionJudge();
    judges.set(key, judge);
    return judge;
  }

  function turnOf({ key }: Lane): AddressTurn {
    const turn = turns.get(key) ?? new AddressTurn(() => clock.now());
    turns.set(key, turn);
    return turn;
  }

  function reasonOf({ error, status, servedBy, xCache, wafAction }: Answer, pop: string): string | null {
    if (error !== null) return error === 'cancelled' ? 'timeout' : error;
    // Neither a challenge nor an error page comes from the origin, whose connections are to be kept.
    if (wafAction !== undefined) return 'challenged';
    if (status >= 400) return `status_${status}`;
    if (readXCache(xCache) === 'error') return 'error_page';
    return servedBy !== '' && readServedBy(servedBy, pop, sameCity) === 'other' ? 'wrong_pop' : null;
  }

  /** Asks once, within the time-out and the end of the run. Null: broken off before its own time was over. */
  async function ask({ lane, ordinal }: PlannedRequest, { startedAt, run }: Sending, addresses: readonly EdgeAddress[]) {
    const { method, url } = lane.route;
    const headers = headersOf(lane.route);
    const turn = turnOf(lane);
    const askNext = async (scope: AskScope) => {
      const address = turn.next(addresses, ordinal);
      if (address === undefined) throw new Error(`${lane.pop} is resolved without an address`);
      const answer = await downloader.ask({ method, url, address, headers, scope });
      return { answer, mayGoOn: turn.note(addresses, address, answer) };
    };
    const scope = new CancellableScope();
    const leftMs = startedAt + run.endMs - clock.now();
    const stopTimer = clock.after(Math.max(0, Math.min(timeoutMs, leftMs)), () => scope.cancel());
    const stopListening = run.scope.onCancel(() => scope.cancel());
    inFlight.enter(lane.key);
    try {
      const { answer: first, mayGoOn } = await askNext(scope);
      const answer = mayGoOn && !scope.cancelled ? (await askNext(scope)).answer : first;
      return answer.error === 'cancelled' && (run.scope.cancelled || leftMs < timeoutMs) ? null : answer;
    } finally {
      inFlight.leave(lane.key);
      stopTimer();
      stopListening();
    }
  }

  async function sendOne(planned: PlannedRequest, sending: Sending): Promise<void> {
    const { lane, offsetMs } = planned;
    const { record, scope } = sending.run;
    const resolution = await sending.resolutions.get(lane.key);
    if (resolution === undefined || scope.cancelled) return;
    const unsent = (reason: UnsentReason, detail = '') => record({ kind: 'unsent', lane, reason, detail });
    if (resolution.state !== 'resolved') return unsent(resolution.state, resolution.detail);
    const lateMs = clock.now() - sending.startedAt - offsetMs;
    if (lateMs > MAX_LATE_MS) return unsent('late');
    if (inFlight.isFull(lane.key)) return unsent('busy');
    record({ kind: 'sent', lane, lateMs: Math.max(0, lateMs) });
    const answer = await ask(planned, sending, resolution.addresses);
    if (answer === null) return record({ kind: 'stopped', lane });
    const reason = reasonOf(answer, lane.pop);
    record({ kind: 'ended', lane, reason, answer, origin: reason === null ? judgeOf(lane).judge(answer) : 'unknown' });
  }

  return {
    async send(routes, run) {
      const startedAt = clock.now();
      const resolutions = new Map(lanesOf(routes).map((lane) => [lane.key, resolver.resolvePop(lane.route.domain, lane.pop)]));
      // Whoever sends meets the fault; a run that is stopped before that has no use for it.
      for (const resolution of resolutions.values()) resolution.catch(() => {});
      const sending: Sending = { startedAt, run, resolutions };
      const underWay: Promise<void>[] = [];
      const failures: unknown[] = [];
      for (const planned of planRun(routes, run.spanMs, run.run)) {
        await pauseIn(run.scope, clock, startedAt + planned.offsetMs - clock.now());
        if (run.scope.cancelled || failures.length > 0) break;
        underWay.push(sendOne(planned, sending).catch((error: unknown) => void failures.push(error)));
      }
      await Promise.all(underWay);
      if (failures.length > 0) throw failures[0];
    },
  };
}
