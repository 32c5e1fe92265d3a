import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import { startKeepWarmLoop } from '../core/keep-warm/keep-warm-loop.ts';
import { createKeepWarmSender } from '../core/keep-warm/keep-warm-sender.ts';
import type { Downloader } from '../core/ports/downloader.ts';
import { createOriginConnections, type OriginConnections } from '../simulator/origin-connections.ts';
import { roundTripMs } from '../simulator/round-trip-ms.ts';
import { createRandom } from './random.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';
import { answerOf, HOST, unanswered } from './keep-warm-fixture.ts';

/** What is simulated for an hour. */
export interface Hour {
  readonly seed: number;
  readonly pops: readonly string[];
  /** Airport code of the origin's city, and of the city from which POPs are kept warm. */
  readonly origin: string;
  readonly from: string;
  /** Servers of a POP, each with an address and connections of its own. */
  readonly servers: number;
  /** Mean pause between two viewers of one POP, who come at random. */
  readonly viewerEveryMs: number;
  /** Idle connections to the origin are closed after this. */
  readonly idleMs: number;
  readonly tlsRoundTrips: number;
  /** Null: nothing is kept warm. */
  readonly keepWarm: { readonly perMinute: number; readonly spanMs: number } | null;
}

/** One viewer's request. */
export interface ViewerRequest {
  readonly pop: string;
  readonly atMs: number;
  readonly firstByteMs: number;
  readonly connection: 'new' | 'reused';
}

export const HOUR_MS = 3_600_000;
/** What the origin itself takes, and a viewer's round trip to the POP of the same city. */
const SERVICE_MS = 5;
const VIEWER_ROUND_TRIP_MS = 10;

type Ask = () => Promise<{ readonly ms: number; readonly connection: 'new' | 'reused' }>;

/** The servers of a POP: each asks the origin over connections of its own, which cost round trips and end when idle. */
function createServers(time: VirtualTime, hour: Hour, pop: string): readonly Ask[] {
  const roundTrip = roundTripMs(pop, hour.origin);
  const pause = (ms: number) => new Promise<void>((resolve) => void time.after(ms, resolve));
  const askOver = (connections: OriginConnections): Ask => {
    return async () => {
      const startedAt = time.now();
      const { kind, handshakes } = connections.take();
      await pause((handshakes + 1) * roundTrip + SERVICE_MS);
      connections.giveBack();
      return { ms: time.now() - startedAt, connection: kind };
    };
  };
  return Array.from({ length: hour.servers }, () => askOver(createOriginConnections(hour, () => time.now())));
}

/** Viewers come with exponential pauses, to any of the POP's servers; the seed and the POP decide when, whatever is kept warm. */
async function view(time: VirtualTime, hour: Hour, pop: string, servers: readonly Ask[], seen: ViewerRequest[]): Promise<void> {
  const random = createRandom(hour.seed).fork(pop);
  const requests: Promise<void>[] = [];
  for (let at = 0; ; ) {
    at += -Math.log(1 - random.next()) * hour.viewerEveryMs;
    if (at >= HOUR_MS) break;
    const [atMs, server] = [at, random.pick(servers)];
    const come = async () => {
      await new Promise<void>((resolve) => void time.after(atMs - time.now(), resolve));
      const { ms, connection } = await server();
      seen.push({ pop, atMs, firstByteMs: ms + VIEWER_ROUND_TRIP_MS, connection });
    };
    requests.push(come());
  }
  await Promise.all(requests);
}

function modelDownloader(hour: Hour, servers: ReadonlyMap<string, readonly Ask[]>): Downloader {
  return {
    async ask({ address, scope }) {
      const [, place = '0', , server = '1'] = address.ip.split('.');
      const pop = hour.pops[Number(place)] ?? '';
      const ask = servers.get(pop)?.[Number(server) - 1];
      if (ask === undefined) return unanswered('connection');
      const { ms, connection } = await ask();
      const ttfbMs = ms + roundTripMs(hour.from, pop);
      return scope.cancelled ? unanswered('cancelled') : answerOf({ servedBy: pop, xConnection: connection, ttfbMs, totalMs: ttfbMs });
    },
    close: async () => {},
  };
}

/** Simulates an hour of sparse viewers, with the product's own sender where something is kept warm. The same seed, the same viewers. */
export async function simulateHour(hour: Hour): Promise<readonly ViewerRequest[]> {
  const time = createVirtualTime();
  const servers = new Map(hour.pops.map((pop) => [pop, createServers(time, hour, pop)]));
  const seen: ViewerRequest[] = [];
  const { keepWarm } = hour;
  const sending = keepWarm === null ? null : startSending(time, hour, keepWarm, modelDownloader(hour, servers));
  const work = Promise.all([...servers].map(([pop, asks]) => view(time, hour, pop, asks, seen))).then(() => {
    sending?.stop();
    return sending?.ended;
  });
  let isOver = false;
  const over = work.then(() => {
    isOver = true;
  });
  await time.run(() => isOver, 2 * HOUR_MS);
  await over;
  return seen.sort((a, b) => a.atMs - b.atMs);
}

function startSending(time: VirtualTime, hour: Hour, { perMinute, spanMs }: NonNullable<Hour['keepWarm']>, downloader: Downloader) {
  const resolver = {
    resolvePop: async (_domain: string | null, pop: string) => ({
      state: 'resolved' as const,
      addresses: Array.from({ length: hour.servers }, (_, n) => ({
        ip: `10.${hour.pops.indexOf(pop)}.0.${n + 1}`,
        port: 443,
        httpPort: 80,
      })),
    }),
  };
  const sender = createKeepWarmSender({ resolver, downloader, clock: time, sameCity: (a, b) => a === b });
  const url = `https://${HOST}/time`;
  const route: KeepWarmRoute = { domain: HOST, url, pops: hour.pops, requestsPerPop: perMinute, method: 'GET', headers: [] };
  // The loop's own span is the minute; a function's ends five seconds earlier.
  const shortened = { send: (...[routes, run]: Parameters<typeof sender.send>) => sender.send(routes, { ...run, spanMs }) };
  return startKeepWarmLoop({ sender: shortened, routes: [route], clock: time, record: () => {}, runs: null });
}
