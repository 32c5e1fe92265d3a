import { PrewarmError } from '../../../core/errors.ts';
import type { Answer, Ask, AskError, Downloader } from '../../../core/ports/downloader.ts';
import type { Invalidations } from '../../../core/ports/invalidations.ts';
import type { PopResolution, PopResolver } from '../../../core/ports/pop-resolver.ts';
import { unanswered } from '../../../core/work/unanswered.ts';
import { createModelPop, type ModelPop } from '../../../testing/model-pop.ts';
import type { Faults } from './faults.ts';
import { REQUEST_HEADER, type Scenario, type SimPop, type SimUrl } from './scenario.ts';
import type { SimProcess } from './sim-process.ts';

/** All POPs of a run: their caches, and what each sent. */
export interface ModelEdge {
  /** Downloads as seen from one process: with its clock, and ending with it. */
  downloaderFor(process: SimProcess): Downloader;
  resolverFor(process: SimProcess): PopResolver;
  invalidationsFor(process: SimProcess): Invalidations;
  /** Body bytes sent in answer to a request's downloads. */
  bytesSent(requestId: string): number;
  holds(pop: string, ip: string, url: string, variant: string): boolean;
}

const NOTHING = unanswered('connection', 1);
const ERROR_PAGE_BYTES = 120;
const TIMEOUT_MS = 2000;
const MAX_SLOW_URL_MS = 8000;
const MAX_INVALIDATION_MS = 15_000;

/** What the edge answers instead of some kinds of URLs, and puts into no cache: a custom error page reads 200. */
const PAGES: Partial<Record<SimUrl['kind'], Partial<Answer>>> = {
  not_found: { status: 404 },
  error_page: { status: 200 },
  challenged: { status: 202, wafAction: 'challenge' },
};

/** The request that a download is for. */
export const requestOf = (ask: Ask) => headerOf(ask, REQUEST_HEADER);
const headerOf = (ask: Ask, name: string) => ask.headers.find(([header]) => header === name)?.[1] ?? '';
/** Each variant of a URL is a cache entry of its own. */
const entryOf = (url: string, variant: string) => `${variant} ${url}`;
const variantOf = (ask: Ask) => headerOf(ask, 'Accept-Encoding');

export function createModelEdge(scenario: Scenario, faults: Faults): ModelEdge {
  const urls = new Map(scenario.requests.flatMap((request) => request.urls.map((url) => [url.url, url])));
  const pops = new Map(scenario.pops.map((pop) => [pop.pop, { ...pop, caches: createCaches(pop, urls) }]));
  const popByIp = new Map([...pops.values()].flatMap((pop) => pop.addresses.map(({ ip }) => [ip, pop])));
  const sent = new Map<string, number>();
  const completedAt = new Map<string, number>();

  /** `read` of the `bytes` sent arrive. */
  function send(ask: Ask, bytes: number, read: number): void {
    const request = requestOf(ask);
    sent.set(request, (sent.get(request) ?? 0) + bytes);
    ask.scope.bytes += read;
  }

  function brokenAnswer(ask: Ask, url: SimUrl, process: SimProcess): Answer | null {
    const { random, name } = process;
    if (faults.strikes('edge_error', random, name)) return { ...NOTHING, error: random.pick<AskError>(['connection', 'tls', 'timeout']) };
    const length = ask.byteAt === undefined ? url.bytes : 1;
    if (faults.strikes('edge_truncated', random, name)) {
      const read = Math.floor(length / 2);
      send(ask, length, read);
      const started = { status: 200, xCache: 'Miss from cloudfront', contentLength: length, bodyBytes: read, ttfbMs: 9 };
      return { ...NOTHING, ...started, error: 'truncated' };
    }
    const is5xx = faults.strikes('edge_5xx', random, name);
    const instead = is5xx ? { status: random.pick([429, 500, 503]) } : PAGES[url.kind];
    if (instead === undefined) return null;
    send(ask, ERROR_PAGE_BYTES, ERROR_PAGE_BYTES);
    const page = { error: null, contentLength: ERROR_PAGE_BYTES, bodyBytes: ERROR_PAGE_BYTES, ttfbMs: 9 };
    const servedBy = popByIp.get(ask.address.ip)?.pop ?? '';
    return { ...NOTHING, ...page, servedBy, xCache: 'Error from cloudfront', ...instead };
  }

  async function answerGet(ask: Ask, url: SimUrl, process: SimProcess, caches: ModelPop): Promise<Answer> {
    const broken = brokenAnswer(ask, url, process);
    if (broken !== null) return broken;
    const before = ask.scope.bytes;
    const sentNow = await caches.ask({ ...ask, url: entryOf(ask.url, variantOf(ask)) });
    const request = requestOf(ask);
    sent.set(request, (sent.get(request) ?? 0) + ask.scope.bytes - before);
    return sentNow;
  }

  function answerHead(url: SimUrl, process: SimProcess): Answer {
    if (faults.strikes('edge_error', process.random, process.name)) return NOTHING;
    if (url.kind === 'unknown_size') return { ...NOTHING, error: null, status: 405 };
    const instead = PAGES[url.kind];
    if (instead !== undefined)
      return { ...NOTHING, error: null, contentLength: ERROR_PAGE_BYTES, xCache: 'Error from cloudfront', ...instead };
    return { ...NOTHING, error: null, status: 200, contentLength: url.bytes, ttfbMs: 9 };
  }

  async function answer(question: Ask, process: SimProcess): Promise<Answer> {
    const url = urls.get(question.url);
    const pop = popByIp.get(question.address.ip);
    if (url === undefined || pop === undefined) throw new Error(`nobody knows ${question.url} at ${question.address.ip}`);
    const label = `${question.method} ${url.url} ${question.address.ip} ${question.byteAt === undefined ? '' : 'byte'}`;
    process.note(label);
    const isDead = pop.deadIps.has(question.address.ip);
    const slow = faults.strikes('edge_slow', process.random, process.name);
    const slowMs = url.kind === 'slow' && question.method === 'GET' ? process.random.between(0, MAX_SLOW_URL_MS) : 0;
    const ms = isDead ? process.random.pick([1, TIMEOUT_MS]) : pop.distanceMs + slowMs + process.random.between(0, slow ? 20_000 : 10);
    if (!(await arrives(question, process, ms))) {
      // What was under way when the download was aborted has been sent all the same.
      if (!isDead && question.method === 'GET') send(question, 100, 60);
      return { ...NOTHING, error: 'cancelled' };
    }
    if (isDead) return { ...NOTHING, error: ms === TIMEOUT_MS ? 'timeout' : 'connection', totalMs: ms };
    if (question.method === 'HEAD') return answerHead(url, process);
    if (url.kind === 'poison') {
      process.end(`poisoned by ${url.url}`);
      return new Promise(() => {});
    }
    return answerGet(question, url, process, pop.caches);
  }

  return {
    downloaderFor: (process) => ({ ask: (question) => answer(question, process), close: async () => {} }),
    resolverFor: (process) => ({
      resolvePop: (_, pop) => process.call(`resolve ${pop}`, async () => resolutionOf(pops.get(pop), faults, process)),
      findDistribution: async () => null,
    }),
    invalidationsFor: (process) => ({
      create: (_, reference) =>
        process.call(`invalidate ${reference}`, async () => {
          if (!completedAt.has(reference)) completedAt.set(reference, process.clock.now() + process.random.between(0, MAX_INVALIDATION_MS));
          return { id: reference };
        }),
      isComplete: (_, id) =>
        process.call(`invalidated? ${id}`, async () => {
          const at = completedAt.get(id);
          if (at === undefined) throw new PrewarmError('invalidation', `there is no invalidation ${id}`);
          return process.clock.now() >= at;
        }),
    }),
    bytesSent: (requestId) => sent.get(requestId) ?? 0,
    holds: (pop, ip, url, variant) => {
      const known = pops.get(pop);
      const address = known?.addresses.find((one) => one.ip === ip);
      return known !== undefined && address !== undefined && known.caches.holds(address, entryOf(url, variant));
    },
  };
}

function createCaches({ pop, addresses, separate }: SimPop, urls: ReadonlyMap<string, SimUrl>): ModelPop {
  const caches = createModelPop({
    pop,
    addresses,
    separate,
    object: (entry) => {
      const url = urls.get(entry.slice(entry.indexOf(' ') + 1));
      if (url === undefined) throw new Error(`nobody knows ${entry}`);
      return { bytes: url.bytes, lag: url.lag, neverStored: url.kind === 'never_stored' };
    },
  });
  for (const { url, kind } of urls.values()) {
    if (kind !== 'warm') continue;
    for (const address of addresses) for (const variant of ['default', 'br']) caches.store(address, entryOf(url, variant));
  }
  return caches;
}

/** False: the download was aborted first. */
function arrives({ scope }: Ask, process: SimProcess, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const forget = process.clock.after(ms, () => {
      release();
      resolve(true);
    });
    const release = scope.onCancel(() => {
      forget();
      resolve(false);
    });
  });
}

function resolutionOf(pop: SimPop | undefined, faults: Faults, process: SimProcess): PopResolution {
  if (pop === undefined || pop.state === 'pop_unresolvable' || faults.strikes('pop_unresolved', process.random, process.name)) {
    return { state: 'pop_unresolvable', detail: 'no such name' };
  }
  return pop.state === 'resolved' ? { state: 'resolved', addresses: pop.addresses } : { state: pop.state, detail: 'a private address' };
}
