import type { EdgeAddress } from '../../../core/pops/address.ts';
import type { PipelineOptions } from '../../../core/pipeline/pipeline-context.ts';
import type { PopState, RequestSpec, Variant } from '../../../core/request/request.ts';
import type { AgentOptions } from '../../../core/work/agent.ts';
import type { Change } from './progress-watch.ts';
import type { Random } from '../../../testing/random.ts';

/** What is special about a URL, at every POP: a slow one takes seconds. A poisonous one kills the agent that downloads it, however often. */
const URL_KINDS = [
  'plain',
  'warm',
  'large',
  'lagging',
  'never_stored',
  'not_found',
  'too_large',
  'unknown_size',
  'slow',
  'error_page',
  'challenged',
  'poison',
] as const;
type UrlKind = (typeof URL_KINDS)[number];

export interface SimUrl {
  readonly url: string;
  readonly kind: UrlKind;
  readonly bytes: number;
  /** How many asks after a whole GET still miss. */
  readonly lag: number;
}

export interface SimPop {
  readonly pop: string;
  readonly state: PopState;
  readonly addresses: readonly EdgeAddress[];
  /** Addresses that answer nothing, ever. */
  readonly deadIps: ReadonlySet<string>;
  /** Each address has a cache of its own. */
  readonly separate: boolean;
  /** To the first byte, at least. */
  readonly distanceMs: number;
}

export interface SimRequest {
  readonly id: string;
  readonly spec: RequestSpec;
  readonly urls: readonly SimUrl[];
  readonly arrivesAt: number;
  /** How many callers make it at once. */
  readonly callers: number;
  /** When somebody stops it, each time; mostly never. */
  readonly stopsAt: readonly number[];
  /** It is stopped in the moment of this change or soon after, so that the stop meets what the change leads to. */
  readonly stopsOn: { readonly change: Change; readonly nth: number; readonly afterMs: number } | null;
  /** When its claim on the fleet is changed, and to what. */
  readonly claimChange: { readonly at: number; readonly agents: number } | null;
}

export interface Scenario {
  readonly workers: number;
  /** The agents are children of the one worker, and leave when it ends. */
  readonly isProcessTree: boolean;
  readonly maximumAgents: number;
  readonly pops: readonly SimPop[];
  readonly requests: readonly SimRequest[];
  /** How many calls take a while, and how long at most. */
  readonly pace: { readonly share: number; readonly maximumMs: number };
  readonly limits: PipelineOptions;
  readonly agent: Pick<AgentOptions, 'leaseMs' | 'beatMs' | 'receiveWaitMs' | 'concurrency'>;
  /** A dead process's leases are freed at once, as a parent does that sees its child end; otherwise they run out. */
  readonly freesLeases: boolean;
  /** A timer looks after the fleet; without one, whoever makes a request has to try until it has been answered. */
  readonly hasFleetTimer: boolean;
}

/** Names a request in its downloads, so that the edge can count the bytes of each. */
export const REQUEST_HEADER = 'X-Request';

const POP_NAMES = ['SIN2-P1', 'FRA56-P4', 'GRU1-C2', 'NRT57-P3', 'IAD89-P1', 'CDG50-P1'] as const;
const UNREACHABLE_STATES: readonly PopState[] = ['pop_unresolvable', 'pop_unresolvable', 'address_refused'];

export function createScenario(seeded: Random): Scenario {
  const random = seeded.fork('scenario');
  const workers = random.pick([1, 1, 2]);
  const pops = POP_NAMES.slice(0, random.between(1, POP_NAMES.length)).map((pop, index) => createPop(random, pop, index));
  const shared = random.chance(0.3) ? createUrls(random, 'shared', random.between(1, 40)) : null;
  const requests = Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, (_, index) => createRequest(random, index, pops, shared));
  return {
    workers,
    isProcessTree: workers === 1 && random.chance(0.4),
    maximumAgents: random.between(1, 3),
    pops,
    requests,
    pace: random.pick([
      { share: 0.1, maximumMs: 5 },
      { share: 0.3, maximumMs: 30 },
      { share: 0.6, maximumMs: 300 },
    ]),
    limits: {
      shareUrls: random.pick([1, 3, 10, 50]),
      shareBytes: random.pick([100, 1000, 100_000]),
      shareMs: random.pick([50, 5000, 60_000]),
      headsInFlight: random.pick([1, 4, 64]),
      silentHeads: random.pick([2, 24]),
      shareTasks: random.pick([1, 4, 20, 1000]),
      invalidationPollsMs: [3000, 3000, 3000],
    },
    agent: {
      leaseMs: random.pick([2000, 6000, 15_000]),
      beatMs: random.pick([300, 1000]),
      receiveWaitMs: random.pick([50, 200, 1000]),
      concurrency: random.pick([null, 1, 2, 8]),
    },
    freesLeases: random.chance(0.5),
    hasFleetTimer: random.chance(0.5),
  };
}

function createPop(random: Random, pop: string, index: number): SimPop {
  const count = random.between(1, 4);
  const addresses = Array.from({ length: count }, (_, n) => ({ ip: `198.51.${100 + index}.${n + 1}`, port: 443, httpPort: 80 }));
  const deadIps = new Set(addresses.filter(() => random.chance(0.06)).map(({ ip }) => ip));
  const state = random.chance(0.2) ? random.pick(UNREACHABLE_STATES) : 'resolved';
  return { pop, state, addresses, deadIps, separate: random.chance(0.4), distanceMs: random.pick([2, 20, 200]) };
}

function createUrls(random: Random, folder: string, count: number): SimUrl[] {
  const oddShare = random.pick([0, 0.1, 0.5]);
  const warmShare = random.pick([0, 0, 0.3]);
  return Array.from({ length: count }, (_, index) => {
    const odd: UrlKind = random.chance(0.05) ? 'poison' : random.pick(URL_KINDS.slice(2, -1));
    const kind = random.chance(oddShare) ? odd : random.chance(warmShare) ? 'warm' : 'plain';
    const scheme = random.chance(0.1) ? 'http' : 'https';
    return {
      url: `${scheme}://www.example.com/${folder}/${index}${random.chance(0.1) ? ',x' : ''}`,
      kind,
      bytes: bytesOf(kind, random),
      lag: kind === 'lagging' ? random.between(1, 2) : 0,
    };
  });
}

function bytesOf(kind: UrlKind, random: Random): number {
  if (kind === 'too_large') return 60_000_000_000;
  if (kind === 'large') return random.between(1_000_000, 40_000_000);
  return random.pick([0, 1, 1000, 64 * 1024, 64 * 1024 + 1, 500_000]);
}

function createStopOn(random: Random): SimRequest['stopsOn'] {
  const change = random.pick<Change>(['transition', 'transition', 'putTask', 'putTask', 'countTasks']);
  // The second transition is the one to QUEUEING: the plan comes next, and may change the total.
  const nth = change === 'transition' ? random.pick([1, 2, 2, 2, 2, 3]) : random.between(1, 4);
  return { change, nth, afterMs: random.between(0, random.pick([0, 100, 1000])) };
}

function createRequest(random: Random, index: number, pops: readonly SimPop[], shared: readonly SimUrl[] | null): SimRequest {
  const arrivesAt = index === 0 ? 0 : random.between(0, 20_000);
  const chosen = random.shuffled(pops).slice(0, random.between(1, pops.length));
  const ownUrls = () => createUrls(random, `r${index}`, random.pick([1, random.between(1, 8), random.between(1, 40)]));
  const variants: Variant[] = ['default', 'br'].slice(0, random.chance(0.1) ? 2 : 1).map((name) => ({
    name,
    headers: [
      [REQUEST_HEADER, `r${index}`],
      ['Accept-Encoding', name],
    ],
  }));
  const spec: RequestSpec = {
    domain: 'd111111abcdef8.cloudfront.net',
    pops: chosen.map(({ pop }) => ({ pop, named: random.chance(0.4) })),
    variants,
    acceptStatus: random.chance(0.1) ? [200, 404] : null,
    timeoutMinutes: random.chance(0.3) ? random.between(1, random.pick([10, 120])) / 60 : null,
    agents: random.between(1, 4),
    invalidate: random.chance(0.1),
  };
  const stops = random.chance(0.15) ? random.between(1, 2) : 0;
  return {
    id: `r${index}`,
    spec,
    urls: shared ?? ownUrls(),
    arrivesAt,
    callers: random.chance(0.2) ? 2 : 1,
    stopsAt: Array.from({ length: stops }, () => arrivesAt + random.between(0, random.pick([500, 2000, 8000, 40_000]))),
    stopsOn: random.chance(0.3) ? createStopOn(random) : null,
    claimChange: random.chance(0.1) ? { at: arrivesAt + random.between(0, 30_000), agents: random.between(1, 4) } : null,
  };
}
