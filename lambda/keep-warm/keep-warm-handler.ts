import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { CancellableScope } from '../../core/ask-scope.ts';
import type { Clock } from '../../core/clock.ts';
import type { KeepWarmSender } from '../../core/keep-warm/keep-warm-sender.ts';
import type { KeepWarmRoute } from '../../core/keep-warm/route.ts';
import { createTally, isDeadAfterRun, type LaneFigures } from '../../core/keep-warm/tally.ts';
import type { MinuteClaims } from '../../core/ports/minute-claims.ts';
import type { Log } from '../../core/ports/log.ts';
import type { TimeLeft } from '../instrument.ts';
import type { Times } from '../../core/keep-warm/tally.ts';
import { type KeepWarmDimensions, type KeepWarmMetricName, METRIC_NAMESPACE } from '../../deployment/names.ts';

export interface KeepWarmHandlerDeps {
  readonly claims: MinuteClaims;
  readonly sender: KeepWarmSender;
  /** Throws InvalidInput or PrewarmError where there are none. */
  readonly loadRoutes: () => Promise<readonly KeepWarmRoute[]>;
  readonly publish: PublishLane;
  readonly log: Pick<Log, 'info' | 'error'>;
  readonly clock: Clock;
  /** Whose minute is claimed: the environment's. */
  readonly claimKey: string;
}

const MINUTE_MS = 60_000;
/** Of an invocation, before the function's own time-out: the last request is sent three seconds, the last answer awaited one second before. */
const LAST_SENT_BEFORE_END_MS = 3000;
const LAST_ANSWER_BEFORE_END_MS = 1000;
/** Names in a log line. */
const MAX_NAMED = 20;

/** Reads the scheduled minute from the event. A call by hand has none, and counts as scheduled now. */
function minuteOf(event: unknown, now: number): number {
  const scheduled =
    typeof event === 'object' && event !== null && 'scheduledTime' in event ? Date.parse(String(event.scheduledTime)) : Number.NaN;
  return Math.floor((Number.isNaN(scheduled) ? now : scheduled) / MINUTE_MS);
}

/** Of all POPs together, by reason. */
function byReason(lanes: readonly LaneFigures[], of: 'errors' | 'unsent'): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [reason, count] of lanes.flatMap((lane) => Object.entries(lane[of]))) counts[reason] = (counts[reason] ?? 0) + count;
  return counts;
}

function report(lanes: readonly LaneFigures[], { publish, log }: KeepWarmHandlerDeps, minute: number): void {
  for (const figures of lanes) publish(figures);
  const dead = lanes.filter(isDeadAfterRun).map(({ lane, state, detail }) => ({ pop: lane.pop, url: lane.route.url, state, detail }));
  const sum = (of: (figures: LaneFigures) => number) => lanes.reduce((all, figures) => all + of(figures), 0);
  const fields = {
    minute,
    pops: lanes.length,
    requests: sum(({ requests }) => requests),
    good: sum(({ good }) => good),
    errors: byReason(lanes, 'errors'),
    unsent: byReason(lanes, 'unsent'),
  };
  if (dead.length > 0) log.error({ ...fields, dead: dead.slice(0, MAX_NAMED) }, 'POPs do not answer');
  else if (fields.good < fields.requests) log.error(fields, 'requests were not answered well');
  else if (Object.keys(fields.unsent).length > 0) log.error(fields, 'requests were not sent');
  else log.info(fields, 'kept warm');
}

/** Sends one run, unless another invocation has claimed the scheduled minute. */
export function createKeepWarmHandler(deps: KeepWarmHandlerDeps) {
  const { claims, sender, loadRoutes, log, clock, claimKey } = deps;
  return async (event: unknown, context: TimeLeft): Promise<void> => {
    const minute = minuteOf(event, clock.now());
    const routes = await loadRoutes();
    if (!(await claims.claim(claimKey, minute))) {
      log.info({ minute }, 'another invocation has this minute');
      return;
    }
    const tally = createTally(routes);
    const leftMs = context.getRemainingTimeInMillis();
    const spanMs = Math.max(0, leftMs - LAST_SENT_BEFORE_END_MS);
    const endMs = Math.max(0, leftMs - LAST_ANSWER_BEFORE_END_MS);
    await sender.send(routes, { run: minute, spanMs, endMs, record: tally.record, scope: new CancellableScope() });
    report(tally.lanes, deps, minute);
  };
}

/** Figures of a run, per host and POP, written to the log (EMF). */
type PublishLane = (figures: LaneFigures) => void;

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What CloudWatch keeps of a lane; `Silent` is 1 for a run in which the POP did not answer or nothing was sent through it, else 0. */
export function createKeepWarmMetrics({ envName }: { readonly envName: string }): PublishLane {
  const metrics = new Metrics({ namespace: METRIC_NAMESPACE });
  const add = (name: KeepWarmMetricName, unit: (typeof MetricUnit)[keyof typeof MetricUnit], value: number) =>
    metrics.addMetric(name, unit, value);
  const addTimes = (name: KeepWarmMetricName, times: Times) => {
    for (const ms of times.latest) add(name, MetricUnit.Milliseconds, ms);
  };
  return (figures) => {
    metrics.clearDefaultDimensions();
    const dimensions: KeepWarmDimensions = { EnvName: envName, Host: new URL(figures.lane.route.url).hostname, Pop: figures.lane.pop };
    metrics.setDefaultDimensions(dimensions);
    add('KeepWarmRequests', MetricUnit.Count, figures.requests);
    add('KeepWarmErrors', MetricUnit.Count, total(figures.errors));
    add('KeepWarmSilent', MetricUnit.Count, isDeadAfterRun(figures) ? 1 : 0);
    if (figures.judged > 0) add('KeepWarmNewConnections', MetricUnit.Percent, (100 * figures.newConnections) / figures.judged);
    addTimes('KeepWarmConnect', figures.connectTimes);
    addTimes('KeepWarmFirstByte', figures.firstByteTimes);
    metrics.publishStoredMetrics();
  };
}
