import { z } from 'zod';
import { domainSuffixOf, parseDomain } from '../../core/request/domain-question.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { parseHeaders } from '../../core/request/headers.ts';
import { inputFault } from '../../core/input-fault.ts';
import { choosePops } from '../../core/pops/pop-choice.ts';
import type { Header } from '../../core/request/request.ts';
import type { TimingSummary } from '../../core/timing/summarise-timing.ts';
import { parseTargetUrl } from '../../core/request/url.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import { readEdgeOptions } from './edge-options.ts';
import { parseFlags, type RawOptions, textFlag, wholeNumber, yesFlag } from './flags.ts';
import { withHeaderFile } from './header-file.ts';
import { readTimingCsv } from '../print/timing-csv.ts';

/** What `prewarm timing` is to do. Everything in it is valid, but the domain may be an alias. */
export interface TimingOptions {
  /** Normalised. */
  readonly url: string;
  readonly host: string;
  readonly domain: string | null;
  /** Empty: wherever DNS leads. */
  readonly pops: readonly string[];
  readonly count: number;
  readonly intervalMs: number;
  readonly headers: readonly Header[];
  readonly reuse: boolean;
  readonly format: 'lines' | 'json' | 'csv';
  /** Of an earlier measurement; null: nothing to compare with. */
  readonly before: readonly TimingSummary[] | null;
  readonly edge: EdgeOptions;
}

const DEFAULT_COUNT = 5;
const DEFAULT_INTERVAL_S = 1;
const MAX_COUNT = 100_000;
const MAX_INTERVAL_S = 86_400;
const INTERVAL_REMEDY = `write seconds from 0 to ${MAX_INTERVAL_S}, as in 0.5 or 30`;

const texts = z.array(z.string());
const FLAGS = {
  pops: texts,
  domain: z.string(),
  count: wholeNumber(1, MAX_COUNT),
  interval: z
    .string()
    .regex(/^\d{1,5}(\.\d{1,3})?$/, INTERVAL_REMEDY)
    .transform(Number)
    .refine((seconds) => seconds <= MAX_INTERVAL_S, INTERVAL_REMEDY),
  header: texts,
  headerFile: textFlag('the path of a file'),
  reuse: yesFlag,
  json: yesFlag,
  csv: yesFlag,
  compare: textFlag('the path of a CSV file that --csv made'),
} as const;

function readUrl(raw: string, faults: InputFault[]): { url: string; host: string } {
  const parsed = parseTargetUrl(raw);
  if ('url' in parsed) return parsed;
  faults.push(inputFault('URL', raw, parsed.fault));
  return { url: '', host: '' };
}

function readPops(lists: readonly string[] | undefined, domain: string | null, faults: InputFault[]): readonly string[] {
  if (lists === undefined) return [];
  const names = lists.flatMap((list) => list.split(',')).filter((name) => name.trim() !== '');
  if (names.length === 0) {
    faults.push(inputFault('--pops', lists.join(','), 'names no POP; name some, or leave it out to measure wherever DNS leads'));
    return [];
  }
  const choice = choosePops({ targetType: 'pop', names }, { catalogue: popCatalogue(), suffix: domainSuffixOf(domain), field: '--pops' });
  faults.push(...choice.faults);
  return choice.pops.map(({ pop }) => pop);
}

/** Reads the arguments of `prewarm timing`, and every file they name. Throws InvalidInput with all that is wrong with them. */
export function parseTimingOptions(rawUrl: string, raw: RawOptions): TimingOptions {
  const faults: InputFault[] = [];
  const flags = parseFlags(FLAGS, raw, faults);
  const { url, host } = readUrl(rawUrl, faults);
  const given = parseDomain(flags.domain);
  if ('fault' in given) faults.push(inputFault('--domain', flags.domain, given.fault));
  const domain = 'domain' in given ? given.domain : null;
  const pops = readPops(flags.pops, domain, faults);
  const { headers, faults: wrongHeaders } = parseHeaders(withHeaderFile(flags.header ?? [], flags.headerFile, faults), '--header');
  faults.push(...wrongHeaders);
  if (flags.json && flags.csv) faults.push(inputFault('--csv', '', '--json and --csv exclude each other; give one of them'));
  const edge = readEdgeOptions(raw, faults);
  if (edge.edgeMap !== null && pops.length === 0 && flags.pops === undefined) {
    faults.push(inputFault('--edge-map', raw['edgeMap'], 'knows POPs only; name some by --pops'));
  }
  const before = flags.compare === undefined ? null : readTimingCsv(flags.compare, '--compare', faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return {
    url,
    host,
    domain,
    pops,
    count: flags.count ?? DEFAULT_COUNT,
    intervalMs: (flags.interval ?? DEFAULT_INTERVAL_S) * 1000,
    headers,
    reuse: flags.reuse ?? false,
    format: flags.json ? 'json' : flags.csv ? 'csv' : 'lines',
    before,
    edge,
  };
}
