import pLimit from 'p-limit';
import { createHostAddresses } from '../../adapters/dns/host-addresses.ts';
import { createTimedExchange, type TimedAnswer, type TimedExchange } from '../../adapters/http/timed-exchange.ts';
import { AddressTurn, type EdgeAddress, formatAddress } from '../../core/pops/address.ts';
import { findDomain } from '../../core/request/find-domain.ts';
import { plainJsonText } from '../../core/plain-text.ts';
import { compareTiming, isGood, summariseTiming, type TimingSample } from '../../core/timing/summarise-timing.ts';
import { createResolver } from '../../embedded/edge-access.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import type { RawOptions } from '../options/flags.ts';
import { columnsOf, wrapAt, wrapWords } from '../print/screen.ts';
import { onInterrupt } from '../signals.ts';
import { formatCsvRow, viewGain, viewSample, viewSummary } from '../print/timing-csv.ts';
import { parseTimingOptions, type TimingOptions } from '../options/timing-options.ts';
import { formatTimingGain, formatTimingLine, formatTimingSummary } from '../print/timing-tables.ts';
import { EXIT } from '../exit-code.ts';

const SUCCESS = 0;
const FAILURES = 1;
const TIMEOUT_MS = 30_000;
/** More at once would measure this machine's own work. */
const AT_ONCE = 8;

type Located =
  | {
      readonly address: EdgeAddress;
      /** To be told what came of the request. */
      readonly note: (answer: TimedAnswer) => void;
    }
  | { readonly error: 'dns' | 'address_refused'; readonly detail: string };
/** Finds the address of a POP ('': wherever DNS leads) for the nth request. */
type Locate = (pop: string, nth: number) => Promise<Located>;

const NOTHING: TimedAnswer = {
  error: null,
  detail: '',
  status: 0,
  tcpMs: -1,
  tlsMs: -1,
  waitMs: -1,
  firstByteMs: -1,
  totalMs: 0,
  bytes: 0,
  xCache: '',
  servedBy: '',
  requestId: '',
  xConnection: '',
  serverTiming: '',
  unreached: false,
};

const ownPort = (url: string, secure: boolean, { edgePort, edgeHttpPort }: EdgeOptions) =>
  Number(new URL(url).port) || (secure ? edgePort : edgeHttpPort);

/** POPs as the agents find them; without one, the host's own name is asked for as a viewer's machine does. */
async function createLocate({ url, host, domain, pops, edge }: TimingOptions): Promise<Locate> {
  const { dnsServer, allowPrivateAddresses } = edge;
  if (pops.length === 0) {
    const servers = dnsServer === null ? {} : { servers: formatAddress(dnsServer.ip, dnsServer.port) };
    const addressOf = createHostAddresses({ allowPrivateAddresses, ...servers });
    return async () => {
      const found = await addressOf(host);
      if ('error' in found) return found;
      return { address: { ip: found.ip, port: ownPort(url, true, edge), httpPort: ownPort(url, false, edge) }, note: () => {} };
    };
  }
  const resolver = await createResolver(edge);
  const distribution = edge.edgeMap === null ? await findDomain(resolver, { given: domain, hosts: [host], field: '--domain' }) : domain;
  const turns = new Map(pops.map((pop) => [pop, new AddressTurn(Date.now)]));
  return async (pop, nth) => {
    const resolution = await resolver.resolvePop(distribution, pop);
    if (resolution.state === 'pop_unresolvable') return { error: 'dns', detail: resolution.detail };
    if (resolution.state === 'address_refused') return { error: resolution.state, detail: resolution.detail };
    const { addresses } = resolution;
    const turn = turns.get(pop);
    const address = turn?.next(addresses, nth);
    if (turn === undefined || address === undefined) return { error: 'dns', detail: `${pop} has no address` };
    return { address, note: (answer) => void turn.note(addresses, address, answer) };
  };
}

interface Measuring {
  readonly options: TimingOptions;
  readonly locate: Locate;
  readonly exchange: TimedExchange;
  readonly signal: AbortSignal;
}

async function measure({ options, locate, exchange, signal }: Measuring, pop: string, nth: number): Promise<TimingSample> {
  const { url, headers } = options;
  const at = Date.now();
  const startedAt = performance.now();
  const located = await locate(pop, nth);
  const dnsMs = performance.now() - startedAt;
  const common = { at, url, pop, dnsMs };
  if ('error' in located) return { ...NOTHING, ...common, address: '', ...located, totalMs: dnsMs };
  const { ip, port, httpPort } = located.address;
  const answer = await exchange.ask(url, located.address, headers, signal);
  located.note(answer);
  return {
    ...answer,
    ...common,
    address: formatAddress(ip, url.startsWith('https:') ? port : httpPort),
    firstByteMs: answer.firstByteMs < 0 ? -1 : dnsMs + answer.firstByteMs,
    totalMs: dnsMs + answer.totalMs,
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Asks every POP once per interval, none of them waiting for another, and tells each sample as it comes. */
async function measureAll(measuring: Measuring, tell: (sample: TimingSample) => void): Promise<void> {
  const { options, signal } = measuring;
  const limit = pLimit(AT_ONCE);
  const startedAt = performance.now();
  const once = async (pop: string, round: number) => {
    if (signal.aborted) return;
    const sample = await measure(measuring, pop, round);
    if (sample.error !== 'cancelled') tell(sample);
  };
  const measurePop = async (pop: string) => {
    for (let round = 0; round < options.count && !signal.aborted; round++) {
      await pause(startedAt + round * options.intervalMs - performance.now(), signal);
      await limit(once, pop, round);
    }
  };
  await Promise.all((options.pops.length === 0 ? [''] : options.pops).map(measurePop));
}

function tellEnd(samples: readonly TimingSample[], { format, before, pops }: TimingOptions): void {
  const summaries = summariseTiming(samples).toSorted((a, b) => pops.indexOf(a.pop) - pops.indexOf(b.pop));
  const gains = before === null ? null : compareTiming(before, summaries);
  if (format === 'json') {
    const view = { summary: summaries.map(viewSummary), ...(gains === null ? {} : { gain: gains.map(viewGain) }) };
    process.stdout.write(`${JSON.stringify(view)}\n`);
  } else {
    // The rows are what is to be kept; this is for whoever looks on.
    const stream = format === 'csv' ? process.stderr : process.stdout;
    const width = columnsOf(stream);
    stream.write(`\n${formatTimingSummary(summaries, width)}${gains === null ? '' : `\n${formatTimingGain(gains, width)}`}`);
  }
}

/** `prewarm timing`: measures single requests, over time and through chosen POPs. Returns the exit code; throws InvalidInput when nothing was sent. */
export async function timing(url: string, raw: RawOptions): Promise<number> {
  const options = parseTimingOptions(url, raw);
  const { ca } = options.edge;
  const locate = await createLocate(options);
  const exchange = createTimedExchange({ reuse: options.reuse, timeoutMs: TIMEOUT_MS, ...(ca === null ? {} : { ca: ca.pem }) });
  const interrupt = new AbortController();
  const stopListening = onInterrupt(() => interrupt.abort());
  const samples: TimingSample[] = [];
  const tell = (sample: TimingSample) => {
    samples.push(sample);
    if (options.format === 'lines') process.stdout.write(`${wrapWords(formatTimingLine(sample), wrapAt(process.stdout), '  ')}\n`);
    else if (options.format === 'json') process.stdout.write(`${plainJsonText(JSON.stringify(viewSample(sample)))}\n`);
    else process.stdout.write(formatCsvRow(sample, samples.length === 1));
  };
  try {
    await measureAll({ options, locate, exchange, signal: interrupt.signal }, tell);
  } finally {
    stopListening();
    exchange.close();
  }
  if (samples.length > 0) tellEnd(samples, options);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  return samples.every(isGood) ? SUCCESS : FAILURES;
}
