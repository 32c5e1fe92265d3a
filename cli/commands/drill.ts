import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEdgeMapResolver, parseEdgeMap } from '../../adapters/dns/edge-map-resolver.ts';
import type { EdgeAddress } from '../../core/pops/address.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { createUrlIntake } from '../../core/request/url-intake.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { madeUpObject } from '../../simulator/made-up-object.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { type PopSurvey, surveyEdge } from './drill-survey.ts';
import { formatSurvey, formatVerdict } from '../print/drill-tables.ts';
import type { RawOptions } from '../options/flags.ts';
import { EXAMPLE_LIST } from '../example-list.ts';
import { counted } from '../print/quantities.ts';
import { checkListFile } from '../options/request-flags.ts';
import { columnsOf, wrapAt } from '../print/screen.ts';
import { onInterrupt } from '../signals.ts';
import { readSimulatedPops } from '../options/simulated-pops.ts';
import { readUrlList } from '../../lists/url-list.ts';
import { EXIT } from '../exit-code.ts';

/** Some share a regional edge cache, so that the origin is seen to be spared. */
const EXAMPLE_POPS = ['SIN2-P1', 'SIN52-C2', 'FRA56-P4', 'ARN56-P1', 'IAD89-P1', 'GRU3-P1'];
/** What the drill asks by itself, twice: a list meant for a launch is sampled. */
const MAX_URLS = 200;
/** Far enough to see, near enough not to wait for: milliseconds to the first byte at each tier. */
const LATENCIES = { edgeMs: 8, regionalMs: 45, originMs: 140 };

/** The list's URLs as it will be warmed; the drill holds them, so it takes the first 200. */
async function readList(file: string): Promise<{ urls: string[]; hosts: readonly string[] }> {
  const unreadable: InputFault[] = [];
  checkListFile(file, unreadable);
  if (unreadable.length > 0) throw new InvalidInput(unreadable);
  const intake = createUrlIntake(null);
  const source = file === '-' ? process.stdin : createReadStream(file);
  const list = readUrlList(source, { field: file === '-' ? 'standard input' : file, intake });
  const urls: string[] = [];
  for await (const batch of list.batches) urls.push(...batch);
  const { faults } = list.figures();
  if (faults.length > 0) throw new InvalidInput(faults);
  return { urls: urls.slice(0, MAX_URLS), hosts: intake.hosts() };
}

function choose(raw: RawOptions): readonly string[] {
  const faults: InputFault[] = [];
  const pops = readSimulatedPops(Array.isArray(raw['pops']) ? raw['pops'] : EXAMPLE_POPS, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return pops;
}

async function startEdge(pops: readonly string[], hosts: readonly string[]): Promise<SimulatedEdge> {
  const catalogue = popCatalogue();
  const [host, ...aliases] = hosts;
  return createSimulatedEdge({
    ...(host === undefined ? {} : { host }),
    aliases,
    pops: pops.map((pop) => ({ pop, addresses: 2, regionalCache: catalogue.describe(pop).regionalEdgeCache })),
    objects: madeUpObject,
    cachePolicy: { keyByQuery: true },
    latencies: LATENCIES,
  });
}

async function addressesOf(edge: SimulatedEdge): Promise<Map<string, readonly EdgeAddress[]>> {
  const resolver = createEdgeMapResolver(parseEdgeMap(JSON.stringify(edge.edgeMap), 'edge map'), { allowPrivateAddresses: true });
  const addresses = new Map<string, readonly EdgeAddress[]>();
  for (const pop of Object.keys(edge.edgeMap)) {
    const resolution = await resolver.resolvePop(null, pop);
    if (resolution.state !== 'resolved') throw new Error(`the simulated ${pop} does not resolve: ${resolution.detail}`);
    addresses.set(pop, resolution.addresses);
  }
  return addresses;
}

const allMiss = (surveys: readonly PopSurvey[]) => surveys.every(({ hits }) => hits === 0);
const allHit = (surveys: readonly PopSurvey[]) => surveys.every(({ hits, asks }) => hits === asks);

interface Rehearsal {
  readonly urls: readonly string[];
  readonly pops: readonly string[];
  readonly edge: SimulatedEdge;
  /** For the files that the run reads. */
  readonly dir: string;
  readonly signal: AbortSignal;
}

/** Cold, the warm-up, warm, the verdict. Throws the signal's reason when it is aborted. */
async function rehearse({ urls, pops, edge, dir, signal }: Rehearsal): Promise<number> {
  const { caFile, edgeMapFile } = await edge.writeFiles(dir);
  const addresses = await addressesOf(edge);
  const { stdout } = process;
  const print = (text: string) => stdout.write(`${text}\n`);
  const width = columnsOf(stdout);
  const survey = (method: 'HEAD' | 'GET') => surveyEdge(method, urls, addresses, edge.caPem, signal);
  print(`Simulated edge: ${counted(pops.length, 'POP')} with 2 addresses each, ${counted(urls.length, 'URL')}\n`);

  const before = await survey('HEAD');
  print(formatSurvey('Before: what the first viewers would meet', before, width));
  const fetchesBefore = edge.counters().origin.total.fetches;
  const { run } = await import('./run.ts');
  print('Warming:\n');
  const exitCode = await run(
    undefined,
    { url: urls, pops: [pops.join(',')], edgeMap: edgeMapFile, caFile, allowPrivateAddresses: true },
    { isResumable: false },
  );
  signal.throwIfAborted();
  const fetches = edge.counters().origin.total.fetches - fetchesBefore;

  const after = await survey('GET');
  print('');
  print(formatSurvey('After: what viewers meet now', after, width));
  const late = edge.counters().origin.total.fetches - fetchesBefore - fetches;
  const proof = { cold: allMiss(before), warmed: exitCode === EXIT.ok, warm: allHit(after), originSpared: late === 0 };
  const look = { color: stdout.isTTY && !process.env['NO_COLOR'], wrap: wrapAt(stdout) };
  print(formatVerdict({ before, after, fetches, urls: urls.length, proof }, look));
  return Object.values(proof).every(Boolean) ? EXIT.ok : EXIT.failed;
}

/** `prewarm drill`: the whole thing against a simulated edge. Returns 0 only if the proof holds. */
export async function drill(file: string | undefined, raw: RawOptions): Promise<number> {
  const { urls, hosts } = await readList(file ?? EXAMPLE_LIST);
  const pops = choose(raw);
  const interrupted = new AbortController();
  const stopListening = onInterrupt(() => interrupted.abort());
  const dir = await mkdtemp(join(tmpdir(), 'prewarm-drill-'));
  const edge = await startEdge(pops, hosts);
  try {
    return await rehearse({ urls, pops, edge, dir, signal: interrupted.signal });
  } catch (error) {
    if (interrupted.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    stopListening();
    await edge.close();
    await rm(dir, { recursive: true, force: true });
  }
}
