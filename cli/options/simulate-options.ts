import { z } from 'zod';
import { parseDomain } from '../../core/request/domain-question.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { isDistributionName } from '../../core/request/url.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import type { SimulatedEdgeOptions } from '../../simulator/simulated-edge-options.ts';
import { madeUpObject } from '../../simulator/made-up-object.ts';
import { objectBySize, type OriginObject } from '../../simulator/origin.ts';
import { parseFlags, portFlag, type RawOptions, wholeNumber, yesFlag } from './flags.ts';
import { type PlannedFault, readPlannedFault } from './simulate-fault.ts';
import { readSimulatedPops } from './simulated-pops.ts';

const DEFAULT_POPS = ['SIN2-P1', 'FRA56-P4'];
const DISTRIBUTION = 'd111111abcdef8.cloudfront.net';
const DEFAULT_HOSTS = ['www.example.com'];
const MAX_ADDRESSES = 16;
/** Each takes two ports. */
const MAX_ADDRESSES_IN_ALL = 2000;
const MAX_PORT = 65_535;
const DAY_S = 86_400;
const YEAR_S = 365 * DAY_S;
const MAX_DELAY_MS = 600_000;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const delayFlag = wholeNumber(0, MAX_DELAY_MS);

const FLAGS = {
  pops: z.array(z.string()),
  addresses: wholeNumber(1, MAX_ADDRESSES),
  separateCaches: yesFlag,
  host: z.array(z.string()),
  fault: z.array(z.string()),
  ttl: wholeNumber(0, YEAR_S),
  dynamic: z.array(z.string()),
  ignoreQuery: yesFlag,
  keyHeader: z.array(z.string()),
  keyEncoding: yesFlag,
  edgeDelay: delayFlag,
  regionalDelay: delayFlag,
  originDelay: delayFlag,
  invalidationDelay: delayFlag,
  edgePort: portFlag,
  edgeHttpPort: portFlag,
  dnsPort: portFlag,
  invalidationPort: portFlag,
  oneIp: yesFlag,
  json: yesFlag,
} as const;

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

/** What `simulate` was asked for. */
export interface SimulateOptions {
  readonly edge: SimulatedEdgeOptions & { readonly host: string; readonly aliases: readonly string[] };
  readonly pops: readonly string[];
  readonly faults: readonly PlannedFault[];
  /** Ports that the user named, by flag. */
  readonly ports: ReadonlyMap<string, number>;
  /** Addresses of all POPs together. */
  readonly addressCount: number;
  readonly oneIp: boolean;
  readonly json: boolean;
}

const partsOf = (lists: readonly string[]) =>
  lists
    .flatMap((list) => list.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** The distribution's own name, and the other names that it answers for. */
function readHosts(given: readonly string[], faults: InputFault[]): { host: string; aliases: string[] } {
  const names = new Set<string>();
  for (const text of partsOf(given)) {
    const parsed = parseDomain(text);
    if ('domain' in parsed && parsed.domain !== null) names.add(parsed.domain);
    else faults.push(inputFault('--host', text, 'is no host name; write one such as www.example.com'));
  }
  const own = [...names].filter(isDistributionName);
  if (own.length > 1) faults.push(inputFault('--host', own.join(','), 'names two distributions; simulate each by a command of its own'));
  const host = own[0] ?? DISTRIBUTION;
  return { host, aliases: [...names].filter((name) => name !== host) };
}

function checkCounts({ addresses = 1, oneIp, edgePort, edgeHttpPort }: Flags, pops: number, faults: InputFault[]): void {
  const all = addresses * pops;
  if (all > MAX_ADDRESSES_IN_ALL) {
    const message = `makes ${all} addresses at ${pops} POPs; at most ${MAX_ADDRESSES_IN_ALL} can be simulated, so name fewer POPs or addresses`;
    faults.push(inputFault('--addresses', String(addresses), message));
  }
  if (oneIp !== true) return;
  for (const [flag, first] of Object.entries({ '--edge-port': edgePort, '--edge-http-port': edgeHttpPort })) {
    if (first !== undefined && first + all - 1 > MAX_PORT) {
      const message = `leaves too few ports for ${all} addresses, one for each; write at most ${MAX_PORT - all + 1}`;
      faults.push(inputFault(flag, String(first), message));
    }
  }
}

/** Adds a fault for each text that does not have the form, so that the one that is wrong is named. */
function checkEach(flag: string, texts: readonly string[] | undefined, form: RegExp, remedy: string, faults: InputFault[]): void {
  for (const text of texts ?? []) if (!form.test(text)) faults.push(inputFault(flag, text, remedy));
}

function matcherOf(paths: readonly string[]): (path: string) => boolean {
  return (path) => paths.some((wanted) => (wanted.endsWith('*') ? path.startsWith(wanted.slice(0, -1)) : path === wanted));
}

function createObjects({ ttl = DAY_S, dynamic = [] }: Flags): (path: string) => OriginObject {
  const isDynamic = matcherOf(dynamic);
  return (path) => ({
    ...(objectBySize(path) ?? madeUpObject(path)),
    cacheControl: isDynamic(path) ? 'no-store' : `public, max-age=${ttl}`,
  });
}

function edgeOptions(flags: Flags, pops: readonly string[], names: { host: string; aliases: string[] }): SimulateOptions['edge'] {
  const catalogue = popCatalogue();
  return {
    ...names,
    pops: pops.map((pop) => ({
      pop,
      addresses: flags.addresses ?? 1,
      separateCaches: flags.separateCaches ?? false,
      regionalCache: catalogue.describe(pop).regionalEdgeCache,
    })),
    objects: createObjects(flags),
    cachePolicy: {
      keyByQuery: flags.ignoreQuery !== true,
      keyByHeaders: flags.keyHeader ?? [],
      normaliseAcceptEncoding: flags.keyEncoding ?? false,
    },
    latencies: { edgeMs: flags.edgeDelay ?? 0, regionalMs: flags.regionalDelay ?? 0, originMs: flags.originDelay ?? 0 },
    invalidationDelayMs: flags.invalidationDelay ?? 0,
    ports: {
      https: flags.edgePort ?? 0,
      http: flags.edgeHttpPort ?? 0,
      dns: flags.dnsPort ?? 0,
      invalidation: flags.invalidationPort ?? 0,
    },
  };
}

/** Reads the options of `simulate`. Throws InvalidInput with every one that is wrong. */
export function readSimulateOptions(raw: RawOptions): SimulateOptions {
  const faults: InputFault[] = [];
  const flags = parseFlags(FLAGS, raw, faults);
  const pops = readSimulatedPops(flags.pops ?? DEFAULT_POPS, faults);
  const names = readHosts(flags.host ?? DEFAULT_HOSTS, faults);
  checkEach('--dynamic', flags.dynamic, /^\//, 'write a path that begins with /, such as /time or /api/*', faults);
  checkEach('--key-header', flags.keyHeader, HEADER_NAME, 'write the name of a request header, such as Accept-Language', faults);
  checkCounts(flags, pops.length, faults);
  const planned = (flags.fault ?? []).flatMap((text) => readPlannedFault(text, pops, faults) ?? []);
  if (faults.length > 0) throw new InvalidInput(faults);
  const ports = Object.entries({
    '--edge-port': flags.edgePort,
    '--edge-http-port': flags.edgeHttpPort,
    '--dns-port': flags.dnsPort,
    '--invalidation-port': flags.invalidationPort,
  }).flatMap(([flag, port]) => (port === undefined ? [] : [[flag, port] as const]));
  return {
    edge: edgeOptions(flags, pops, names),
    pops,
    faults: planned,
    ports: new Map(ports),
    addressCount: pops.length * (flags.addresses ?? 1),
    oneIp: flags.oneIp ?? false,
    json: flags.json ?? false,
  };
}
