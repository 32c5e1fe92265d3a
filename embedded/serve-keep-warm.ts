import type { Registry } from 'prom-client';
import { addCounter, addGauge, type Samples } from '../server/app/metrics.ts';
import { systemClock } from '../core/clock.ts';
import { type KeepWarmLoop, startKeepWarmLoop } from '../core/keep-warm/keep-warm-loop.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import { type RouteInput, settleRoute } from '../core/keep-warm/validate-route.ts';
import { createTally, isDead, type LaneFigures, type Tally, type Times } from '../core/keep-warm/tally.ts';
import { ascending, quantileOf } from '../core/quantile.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { EdgeOptions } from './edge-access.ts';
import type { Log } from '../core/ports/log.ts';
import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { createKeepWarmSender, type KeepWarmSender } from '../core/keep-warm/keep-warm-sender.ts';
import { popCatalogue } from '../data/catalogue.ts';

/** What a server keeps warm beside its other work. */
export interface ServedKeepWarm {
  /** Adds the figures to a page of metrics; nothing where nothing is kept warm. */
  addMetrics(page: Registry): void;
  /** Sends nothing more; connections are closed when it resolves. */
  close(): Promise<void>;
}

export interface ServedKeepWarmOptions {
  readonly inputs: readonly RouteInput[];
  readonly edge: EdgeOptions;
  readonly resolver: PopResolver;
  readonly log: Log;
  /** For faults of the program. */
  readonly onFatal: (error: unknown) => void;
}

/** One URL at one POP. A URL that is kept warm with GET and with HEAD has two lanes there. */
interface Place {
  readonly labels: { readonly url: string; readonly pop: string };
  readonly lanes: readonly LaneFigures[];
}

function placesOf(lanes: readonly LaneFigures[]): readonly Place[] {
  const byPlace = Map.groupBy(lanes, ({ lane }) => `${lane.route.url} ${lane.pop}`);
  return [...byPlace.values()].flatMap((group) =>
    group.slice(0, 1).map(({ lane }) => ({ labels: { url: lane.route.url, pop: lane.pop }, lanes: group })),
  );
}

/** Median and 95th percentile of the latest requests, so that they tell of now, in seconds. */
function quantiles(places: readonly Place[], of: (figures: LaneFigures) => Times): Samples {
  return places.flatMap(({ labels, lanes }) => {
    const sorted = ascending(lanes.flatMap((figures) => of(figures).latest));
    if (sorted.length === 0) return [];
    return [0.5, 0.95].map((quantile) => [{ ...labels, quantile }, quantileOf(sorted, quantile) / 1000] as const);
  });
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

function addMetrics(page: Registry, figures: readonly LaneFigures[]): void {
  const places = placesOf(figures);
  const head = (what: string, help: string, ...more: readonly string[]) => {
    return { name: `prewarm_keep_warm_${what}`, help, labels: ['url', 'pop', ...more] };
  };
  const addCount = (what: string, help: string, of: (lane: LaneFigures) => number) => {
    const samples = places.flatMap(({ labels, lanes }) => lanes.map((lane) => [labels, of(lane)] as const));
    addCounter(page, head(what, help), samples);
  };
  const addReasons = (what: string, help: string, of: (lane: LaneFigures) => Readonly<Record<string, number>>) => {
    const samples = places.flatMap(({ labels, lanes }) =>
      lanes.flatMap((lane) => Object.entries(of(lane)).map(([reason, count]) => [{ ...labels, reason }, count] as const)),
    );
    addCounter(page, head(what, help, 'reason'), samples);
  };
  const addQuantiles = (what: string, help: string, of: (lane: LaneFigures) => Times) => {
    addGauge(page, head(what, help, 'quantile'), quantiles(places, of));
  };
  addCount('requests_total', 'Requests that have ended', ({ requests }) => requests);
  addReasons('errors_total', 'Requests that were not answered well', ({ errors }) => errors);
  addReasons('unsent_total', 'Requests that were planned and not sent', ({ unsent }) => unsent);
  addCount('judged_total', 'Answers of which is known on what connection the origin was asked', ({ judged }) => judged);
  addCount('new_connections_total', 'Of these, those on a new one', ({ newConnections }) => newConnections);
  addQuantiles('connect_seconds', 'Connecting to the POP, TLS included, of the latest 100', ({ connectTimes }) => connectTimes);
  addQuantiles('first_byte_seconds', 'First byte of the latest 100', ({ firstByteTimes }) => firstByteTimes);
  const up = places.map(({ labels, lanes }) => [labels, lanes.some(isDead) ? 0 : 1] as const);
  addGauge(page, head('pop_up', 'Whether the POP answers'), up);
}

/** Tells of POPs that stop answering, when they do, and of the minute that has passed. */
function createTeller({ lanes }: Tally, log: Log): () => void {
  const dead = new Set<string>();
  let told = { requests: 0, errors: 0, unsent: 0 };
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
    const now = {
      requests: sum(({ requests }) => requests),
      errors: sum(({ errors }) => total(errors)),
      unsent: sum(({ unsent }) => total(unsent)),
    };
    const since = { requests: now.requests - told.requests, errors: now.errors - told.errors, unsent: now.unsent - told.unsent };
    log.info({ ...since, pops: lanes.length, dead: dead.size }, 'kept warm');
    told = now;
  };
}

const NOTHING: ServedKeepWarm = { addMetrics: () => {}, close: async () => {} };

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
    addMetrics: (page) => addMetrics(page, tally.lanes),
    async close() {
      loop.stop();
      // It has been told of what went wrong, and there is nothing left to stop.
      await loop.ended.catch(() => {});
      await sending.close();
    },
  };
}

/** One per address of the POPs is used at a time, about 100 KB each. */
const MAX_IDLE_CONNECTIONS = 1024;

export interface KeepWarmSending {
  readonly sender: KeepWarmSender;
  close(): Promise<void>;
}

/** A sender with connections of its own, pinned as an agent's are. */
export function openKeepWarmSending(edge: EdgeOptions, resolver: PopResolver): KeepWarmSending {
  const downloader = createUndiciDownloader({
    allowPrivateAddresses: edge.allowPrivateAddresses,
    maxIdleConnections: MAX_IDLE_CONNECTIONS,
    ...(edge.ca === null ? {} : { ca: edge.ca.pem }),
  });
  const catalogue = popCatalogue();
  return {
    sender: createKeepWarmSender({ resolver, downloader, clock: systemClock, sameCity: (a, b) => catalogue.sameCity(a, b) }),
    close: () => downloader.close(),
  };
}
