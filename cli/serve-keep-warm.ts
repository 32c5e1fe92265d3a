import { metricHead, metricSample } from '../api/metric-text.ts';
import { systemClock } from '../core/clock.ts';
import { type KeepWarmLoop, startKeepWarmLoop } from '../core/keep-warm/keep-warm-loop.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import { settleRoute } from '../core/keep-warm/settle-route.ts';
import { createTally, isDead, type LaneFigures, type Tally } from '../core/keep-warm/tally.ts';
import type { Times } from '../core/keep-warm/times.ts';
import type { RouteInput } from '../core/keep-warm/validate-route.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { EdgeOptions } from './edge-options.ts';
import { openKeepWarmSending } from './keep-warm-sending.ts';
import type { ServerLog } from './server-log.ts';

/** What a server keeps warm beside its other work. */
export interface ServedKeepWarm {
  /** Prometheus' text format; '' where nothing is kept warm. */
  renderMetrics(): string;
  /** Sends nothing more; connections are closed when it resolves. */
  close(): Promise<void>;
}

export interface ServedKeepWarmOptions {
  readonly inputs: readonly RouteInput[];
  readonly edge: EdgeOptions;
  readonly resolver: PopResolver;
  readonly log: ServerLog['log'];
  /** For faults of the program. */
  readonly onFatal: (error: unknown) => void;
}

/** Of the latest requests, so that it tells of now. */
function quantileOf(times: Times, share: number): number | null {
  const sorted = times.latest.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

function quantiles(name: string, labels: Readonly<Record<string, string>>, times: Times): string {
  return [0.5, 0.95]
    .map((quantile) => {
      const ms = quantileOf(times, quantile);
      return ms === null ? '' : metricSample(name, { ...labels, quantile }, ms / 1000);
    })
    .join('');
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

function renderMetrics(lanes: readonly LaneFigures[]): string {
  const name = (what: string) => `prewarm_keep_warm_${what}`;
  const each = (render: (figures: LaneFigures, labels: { url: string; pop: string }) => string) =>
    lanes.map((figures) => render(figures, { url: figures.lane.route.url, pop: figures.lane.pop })).join('');
  const reasons = (what: string, of: (figures: LaneFigures) => Readonly<Record<string, number>>) =>
    each((figures, labels) =>
      Object.entries(of(figures))
        .map(([reason, count]) => metricSample(name(what), { ...labels, reason }, count))
        .join(''),
    );
  return [
    metricHead(name('requests_total'), 'counter', 'Requests that have ended'),
    each(({ requests }, labels) => metricSample(name('requests_total'), labels, requests)),
    metricHead(name('errors_total'), 'counter', 'Requests that were not answered well'),
    reasons('errors_total', ({ errors }) => errors),
    metricHead(name('unsent_total'), 'counter', 'Requests that were planned and not sent'),
    reasons('unsent_total', ({ unsent }) => unsent),
    metricHead(name('judged_total'), 'counter', 'Answers of which is known on what connection the origin was asked'),
    each(({ judged }, labels) => metricSample(name('judged_total'), labels, judged)),
    metricHead(name('new_connections_total'), 'counter', 'Of these, those on a new one'),
    each(({ newConnections }, labels) => metricSample(name('new_connections_total'), labels, newConnections)),
    metricHead(name('connect_seconds'), 'gauge', 'Connecting to the POP, TLS included, of the latest 100'),
    each(({ connectTimes }, labels) => quantiles(name('connect_seconds'), labels, connectTimes)),
    metricHead(name('first_byte_seconds'), 'gauge', 'First byte of the latest 100'),
    each(({ firstByteTimes }, labels) => quantiles(name('first_byte_seconds'), labels, firstByteTimes)),
    metricHead(name('pop_up'), 'gauge', 'Whether the POP answers'),
    each((figures, labels) => metricSample(name('pop_up'), labels, isDead(figures) ? 0 : 1)),
  ].join('');
}

/** Tells of POPs that stop answering, when they do, and of the minute that has passed. */
function createTeller({ lanes }: Tally, log: ServerLog['log']): () => void {
  const dead = new Set<string>();
  let told = { requests: 0, errors: 0 };
  return () => {
    for (const figures of lanes) {
      const { key, pop, route } = figures.lane;
      const fields = { url: route.url, pop };
      if (isDead(figures) && !dead.has(key)) {
        dead.add(key);
        log.warn({ ...fields, state: figures.state, detail: figures.detail }, 'a POP that is kept warm does not answer');
      } else if (!isDead(figures) && dead.delete(key)) log.info(fields, 'a POP that is kept warm answers again');
    }
    const sum = (of: (figures: LaneFigures) => number) => lanes.reduce((all, figures) => all + of(figures), 0);
    const now = { requests: sum(({ requests }) => requests), errors: sum(({ errors }) => total(errors)) };
    log.info(
      { requests: now.requests - told.requests, errors: now.errors - told.errors, pops: lanes.length, dead: dead.size },
      'kept warm',
    );
    told = now;
  };
}

const NOTHING: ServedKeepWarm = { renderMetrics: () => '', close: async () => {} };

/** Starts what the file asks for. Throws InvalidInput where a distribution cannot be found. */
export async function openServedKeepWarm({ inputs, edge, resolver, log, onFatal }: ServedKeepWarmOptions): Promise<ServedKeepWarm> {
  if (inputs.length === 0) return NOTHING;
  const routes: KeepWarmRoute[] = [];
  for (const [place, input] of inputs.entries()) {
    routes.push(await settleRoute(input, edge.edgeMap === null ? resolver : null, `--keep-warm[${place}].domain`));
  }
  const tally = createTally(routes);
  const sending = openKeepWarmSending(edge, resolver);
  const onRun = createTeller(tally, log);
  const loop: KeepWarmLoop = startKeepWarmLoop({
    sender: sending.sender,
    routes,
    clock: systemClock,
    record: tally.record,
    runs: null,
    onRun,
  });
  loop.ended.catch(onFatal);
  return {
    renderMetrics: () => renderMetrics(tally.lanes),
    async close() {
      loop.stop();
      // It has been told of what went wrong, and there is nothing left to stop.
      await loop.ended.catch(() => {});
      await sending.close();
    },
  };
}
