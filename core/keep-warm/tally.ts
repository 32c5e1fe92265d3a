import { bucketOfValue, quantileOfBuckets } from '../quantile.ts';
import type { KeepWarmEvent } from './keep-warm-sender.ts';
import { type KeepWarmRoute, type Lane, lanesOf } from './route.ts';

/** Whether a POP answers. `waiting`: nothing is known yet; `silent`: several in a row had no answer at all. */
type LaneState = 'waiting' | 'answering' | 'silent' | 'pop_unresolvable' | 'address_refused';

/** What has been counted of one POP of one route. */
export interface LaneFigures {
  readonly lane: Lane;
  readonly state: LaneState;
  /** Why it does not answer; '' where it does. */
  readonly detail: string;
  /** Sent and ended. */
  readonly requests: number;
  /** Of these, those that were answered as they are to be. */
  readonly good: number;
  /** The others by reason; their sum is `requests - good`. */
  readonly errors: Readonly<Record<string, number>>;
  /** Planned, but not sent, by reason. */
  readonly unsent: Readonly<Record<string, number>>;
  /** Answers of which is known, or looks so, on what connection the origin was asked. */
  readonly judged: number;
  /** Of these, on a new one. */
  readonly newConnections: number;
  readonly bodyBytes: number;
  /** Of new connections to the POP, TLS included. */
  readonly connectTimes: Times;
  /** Of good answers. */
  readonly firstByteTimes: Times;
  /** The latest that a request was sent behind its plan, milliseconds. */
  readonly maxLateMs: number;
}

export interface Tally {
  readonly record: (event: KeepWarmEvent) => void;
  /** Of every lane, in the order of the routes. What is returned goes on counting. */
  readonly lanes: readonly LaneFigures[];
}

/** So many without an answer in a row are no accident; of fewer in a run, all. */
const SILENT_AFTER = 3;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
interface Counted extends Omit<Mutable<LaneFigures>, 'errors' | 'unsent'> {
  readonly errors: Record<string, number>;
  readonly unsent: Record<string, number>;
  withoutAnswer: number;
}

const newFigures = (lane: Lane): Counted => ({
  lane,
  state: 'waiting',
  detail: '',
  requests: 0,
  good: 0,
  errors: {},
  unsent: {},
  judged: 0,
  newConnections: 0,
  bodyBytes: 0,
  connectTimes: createTimes(),
  firstByteTimes: createTimes(),
  maxLateMs: 0,
  withoutAnswer: 0,
});

function addTo(counts: Record<string, number>, reason: string): void {
  counts[reason] = (counts[reason] ?? 0) + 1;
}

function setState(figures: Counted, state: LaneState, detail: string): void {
  figures.state = state;
  figures.detail = detail;
}

function countAnswer(figures: Counted, { reason, answer, origin }: Extract<KeepWarmEvent, { kind: 'ended' }>): void {
  figures.requests++;
  figures.bodyBytes += answer.bodyBytes;
  const { tcpMs = -1, tlsMs = -1 } = answer;
  if (tcpMs >= 0 && answer.status > 0) figures.connectTimes.add(tcpMs + Math.max(0, tlsMs));
  if (reason === null) {
    figures.good++;
    figures.firstByteTimes.add(answer.ttfbMs);
    if (origin !== 'unknown') figures.judged++;
    if (origin === 'new') figures.newConnections++;
  } else addTo(figures.errors, reason);
  figures.withoutAnswer = answer.status === 0 || reason === 'wrong_pop' ? figures.withoutAnswer + 1 : 0;
  if (figures.withoutAnswer === 0) setState(figures, 'answering', '');
  else if (figures.withoutAnswer >= Math.min(SILENT_AFTER, figures.lane.route.requestsPerPop))
    setState(figures, 'silent', `the last ${figures.withoutAnswer} requests: ${reason}`);
}

/** Counts what the sender tells, per POP. Takes the same little memory for a minute and for a month. */
export function createTally(routes: readonly KeepWarmRoute[]): Tally {
  const byKey = new Map(lanesOf(routes).map((lane) => [lane.key, newFigures(lane)]));
  return {
    lanes: [...byKey.values()],
    record(event) {
      const figures = byKey.get(event.lane.key);
      if (figures === undefined) throw new Error(`${event.lane.key} is none of the lanes that are counted`);
      if (event.kind === 'sent') figures.maxLateMs = Math.max(figures.maxLateMs, event.lateMs);
      else if (event.kind === 'unsent') {
        addTo(figures.unsent, event.reason);
        if (event.reason === 'pop_unresolvable' || event.reason === 'address_refused') setState(figures, event.reason, event.detail);
      } else if (event.kind === 'ended') countAnswer(figures, event);
    },
  };
}

/** Whether viewers of this POP find nothing kept warm. */
export function isDead({ state }: Pick<LaneFigures, 'state'>): boolean {
  return state !== 'answering' && state !== 'waiting';
}

const sumOf = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** The same of a run that has ended: a POP through which nothing was sent is not kept warm either, whatever it would have answered. */
export function isDeadAfterRun(figures: Pick<LaneFigures, 'state' | 'requests' | 'unsent'>): boolean {
  return isDead(figures) || (figures.requests === 0 && sumOf(figures.unsent) > 0);
}

/** Median and 95th percentile, milliseconds. */
interface Spread {
  readonly median: number;
  readonly p95: number;
}

/** A lane's figures as scripts get them. */
export interface LaneView {
  readonly url: string;
  readonly pop: string;
  readonly state: LaneState;
  readonly detail: string;
  readonly requests: number;
  readonly good: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly unsent: Readonly<Record<string, number>>;
  /** Share of answers that came, or look as if they came, over a new connection to the origin; null: unknown. */
  readonly new_connection_share: number | null;
  readonly connect_ms: Spread | null;
  readonly first_byte_ms: Spread | null;
  readonly body_bytes: number;
  readonly max_late_ms: number;
}

const rounded = (ms: number) => Math.round(ms * 10) / 10;

function spreadOf(times: Times): Spread | null {
  const [median, p95] = [times.quantile(0.5), times.quantile(0.95)];
  return median === null || p95 === null ? null : { median: rounded(median), p95: rounded(p95) };
}

export function viewLane(figures: LaneFigures): LaneView {
  const { lane, state, detail, requests, good, judged, newConnections, bodyBytes, maxLateMs } = figures;
  return {
    url: lane.route.url,
    pop: lane.pop,
    state,
    detail,
    requests,
    good,
    errors: { ...figures.errors },
    unsent: { ...figures.unsent },
    new_connection_share: judged === 0 ? null : newConnections / judged,
    connect_ms: spreadOf(figures.connectTimes),
    first_byte_ms: spreadOf(figures.firstByteTimes),
    body_bytes: bodyBytes,
    max_late_ms: rounded(maxLateMs),
  };
}

/**
 * Milliseconds of any number of requests, as counts in logarithmic buckets (64 to a doubling: within 1.1 %), so that hours
 * of them take as much memory as minutes. The latest are kept as they are, for those who send them on.
 */
export interface Times {
  readonly count: number;
  /** At most 100, oldest first. */
  readonly latest: readonly number[];
  add(ms: number): void;
  /** `share` from 0 to 1; null: nothing was added. */
  quantile(share: number): number | null;
}

const BUCKETS_PER_DOUBLING = 64;
const LATEST = 100;
/** What is less than a microsecond is one. */
const LEAST_MS = 0.001;

export function createTimes(): Times {
  const buckets = new Map<number, number>();
  const latest: number[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    latest,
    add(ms) {
      const bucket = bucketOfValue(Math.max(ms, LEAST_MS), BUCKETS_PER_DOUBLING);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
      count++;
      latest.push(ms);
      if (latest.length > LATEST) latest.shift();
    },
    quantile: (share) => quantileOfBuckets(buckets, BUCKETS_PER_DOUBLING, share),
  };
}
