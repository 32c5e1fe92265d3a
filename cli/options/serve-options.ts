import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { parseAllowedDomains } from '../../core/request/allowed-domains.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { DEFAULT_MAX_INVALIDATION_PATHS, MOST_INVALIDATION_PATHS } from '../../core/request/invalidation-path.ts';
import { dailyBudgetFaults } from '../../core/keep-warm/budget.ts';
import type { RouteInput } from '../../core/keep-warm/validate-route.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import { readEdgeOptions } from './edge-options.ts';
import { endpointFlag, parseFlags, type RawOptions, textFlag, wholeNumber, yesFlag } from './flags.ts';
import { readKeepWarmFile } from './keep-warm-file.ts';
import { maxPerDayFlag } from './keep-warm-options.ts';
import { readServeKeys, type ServeKeys } from './serve-keys.ts';
import { MAX_IN_FLIGHT } from '../../core/work/lanes.ts';

/** What `prewarm serve` is to do. Everything in it is valid. */
export interface ServeOptions extends ServeKeys {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Null: a temporary directory. */
  readonly dataDir: string | null;
  /** Days for which ended requests are kept. */
  readonly keepDays: number;
  /** Most agent processes at a time. */
  readonly maximumAgents: number;
  /** Most targets of one request. */
  readonly maxTargets: number;
  /** Most distinct paths that one request invalidates. */
  readonly maxInvalidationPaths: number;
  /** Downloads in flight per agent; null: each finds its own number. */
  readonly concurrency: number | null;
  readonly invalidationEndpoint: string | null;
  /** Distributions that may be warmed and invalidated; empty: any may be warmed, and none of an account invalidated. */
  readonly allowedDomains: readonly string[];
  readonly showSuccessUrls: boolean;
  /** A key sees and ends its own requests only. */
  readonly privateRequests: boolean;
  /** The proxy before the server says who asks. */
  readonly trustProxy: boolean;
  /** Where clients reach the server, without a final slash; null: where each of them has reached it. */
  readonly publicUrl: string | null;
  /** Lets `notify_url` lead to private and reserved addresses. */
  readonly allowPrivateNotify: boolean;
  /** What is kept warm beside; empty: nothing. */
  readonly keepWarm: readonly RouteInput[];
  readonly json: boolean;
  readonly edge: EdgeOptions;
}

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 8787;
const MAX_AGENTS = 256;
const DEFAULT_KEEP_DAYS = 30;
const MOST_KEEP_DAYS = 36_500;
const DEFAULT_MAX_TARGETS = 10_000_000;
const MOST_TARGETS = 999_999_999;

const FLAGS = {
  host: textFlag('the address to listen at'),
  port: wholeNumber(0, 65_535),
  dataDir: textFlag('the path of a directory'),
  apiKey: z.array(z.string()),
  apiKeyFile: textFlag('the path of a file'),
  privateRequests: yesFlag,
  trustProxy: yesFlag,
  keepDays: wholeNumber(1, MOST_KEEP_DAYS),
  maxAgents: wholeNumber(1, MAX_AGENTS),
  maxTargets: wholeNumber(1, MOST_TARGETS),
  maxInvalidationPaths: wholeNumber(1, MOST_INVALIDATION_PATHS),
  concurrency: wholeNumber(1, MAX_IN_FLIGHT),
  invalidationEndpoint: endpointFlag,
  allowDomain: z.array(z.string()),
  showSuccessUrls: yesFlag,
  publicUrl: endpointFlag,
  allowPrivateNotify: yesFlag,
  keepWarm: textFlag('the path of a JSON file'),
  keepWarmMaxPerDay: maxPerDayFlag,
  json: yesFlag,
} as const;

function readKeepWarm(
  { keepWarm, keepWarmMaxPerDay }: { readonly keepWarm: string | undefined; readonly keepWarmMaxPerDay: number | undefined },
  faults: InputFault[],
): readonly RouteInput[] {
  if (keepWarm === undefined) return [];
  const wrong: InputFault[] = [];
  const inputs = readKeepWarmFile(keepWarm, '--keep-warm', wrong);
  const routes = inputs.map(({ route }) => route);
  // With an entry that is wrong, the sum would be too.
  faults.push(...(wrong.length > 0 ? wrong : dailyBudgetFaults(routes, keepWarmMaxPerDay, '--keep-warm-max-per-day')));
  return inputs;
}

/** Reads the options of `prewarm serve`, and every file they name. Throws InvalidInput with all that is wrong with them. */
export function parseServeOptions(raw: RawOptions, env: NodeJS.ProcessEnv): ServeOptions {
  const faults: InputFault[] = [];
  const flags = parseFlags(FLAGS, raw, faults);
  const host = flags.host ?? DEFAULT_HOST;
  const keys = readServeKeys({ host, apiKey: flags.apiKey, apiKeyFile: flags.apiKeyFile }, env, faults);
  const allowedDomains = parseAllowedDomains(flags.allowDomain ?? [], '--allow-domain', faults);
  if (flags.allowDomain !== undefined && allowedDomains.length === 0 && faults.length === 0)
    faults.push(inputFault('--allow-domain', '', 'is empty; write the name of a distribution, or * for every one'));
  const keepWarm = readKeepWarm(flags, faults);
  const edge = readEdgeOptions(raw, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return {
    host,
    port: flags.port ?? DEFAULT_PORT,
    dataDir: flags.dataDir ?? null,
    ...keys,
    keepDays: flags.keepDays ?? DEFAULT_KEEP_DAYS,
    maximumAgents: flags.maxAgents ?? availableParallelism(),
    maxTargets: flags.maxTargets ?? DEFAULT_MAX_TARGETS,
    maxInvalidationPaths: flags.maxInvalidationPaths ?? DEFAULT_MAX_INVALIDATION_PATHS,
    concurrency: flags.concurrency ?? null,
    invalidationEndpoint: flags.invalidationEndpoint ?? null,
    allowedDomains,
    showSuccessUrls: flags.showSuccessUrls ?? false,
    privateRequests: flags.privateRequests ?? false,
    trustProxy: flags.trustProxy ?? false,
    publicUrl: flags.publicUrl?.replace(/[/?#]*$/, '') ?? null,
    allowPrivateNotify: flags.allowPrivateNotify ?? false,
    keepWarm,
    json: flags.json ?? false,
    edge,
  };
}
