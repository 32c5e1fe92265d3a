import { availableParallelism } from 'node:os';
import { z } from 'zod';
import type { NamedKey } from '../api/api-keys.ts';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { dailyBudgetFaults } from '../core/keep-warm/budget.ts';
import type { RouteInput } from '../core/keep-warm/validate-route.ts';
import { DEFAULT_KEY_NAME, parseApiKeys } from './api-key-options.ts';
import { type EdgeOptions, readEdgeOptions } from './edge-options.ts';
import { readKeepWarmFile } from './keep-warm-file.ts';
import { isLoopback } from './loopback.ts';
import { maxPerDayFlag } from './keep-warm-options.ts';
import { endpointFlag, parseFlags, type RawOptions, textFlag, wholeNumber, yesFlag } from './flags.ts';

/** What `prewarm serve` is to do. Everything in it is valid. */
export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Null: a temporary directory. */
  readonly dataDir: string | null;
  /** Empty: one is made. */
  readonly keys: readonly NamedKey[];
  /** Most agent processes at a time. */
  readonly maximumAgents: number;
  /** Downloads in flight per agent; null: each finds its own number. */
  readonly concurrency: number | null;
  readonly invalidationEndpoint: string | null;
  readonly showSuccessUrls: boolean;
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
const MAX_IN_FLIGHT = 512;

const FLAGS = {
  host: textFlag('the address to listen at'),
  port: wholeNumber(0, 65_535),
  dataDir: textFlag('the path of a directory'),
  apiKey: z.array(z.string()),
  maxAgents: wholeNumber(1, MAX_AGENTS),
  concurrency: wholeNumber(1, MAX_IN_FLIGHT),
  invalidationEndpoint: endpointFlag,
  showSuccessUrls: yesFlag,
  publicUrl: endpointFlag,
  allowPrivateNotify: yesFlag,
  keepWarm: textFlag('the path of a JSON file'),
  keepWarmMaxPerDay: maxPerDayFlag,
  json: yesFlag,
} as const;

/** Keys from the flags, or from the environment where there is no flag. */
function readKeys(flags: readonly string[] | undefined, env: NodeJS.ProcessEnv, faults: InputFault[]): readonly NamedKey[] {
  if (flags !== undefined) return parseApiKeys('--api-key', flags, faults);
  const key = env['PREWARM_API_KEY'] ?? '';
  // The same variable gives clients the key they send, so it holds a key and no name.
  return key === '' ? [] : parseApiKeys('PREWARM_API_KEY', [`${DEFAULT_KEY_NAME}=${key}`], faults);
}

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
  const keys = readKeys(flags.apiKey, env, faults);
  if (!isLoopback(host) && keys.length === 0 && faults.length === 0) {
    faults.push(
      inputFault('--host', host, 'can be reached from other machines; give a key of your own (--api-key KEY), or leave it at 127.0.0.1'),
    );
  }
  const keepWarm = readKeepWarm(flags, faults);
  const edge = readEdgeOptions(raw, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return {
    host,
    port: flags.port ?? DEFAULT_PORT,
    dataDir: flags.dataDir ?? null,
    keys,
    maximumAgents: flags.maxAgents ?? availableParallelism(),
    concurrency: flags.concurrency ?? null,
    invalidationEndpoint: flags.invalidationEndpoint ?? null,
    showSuccessUrls: flags.showSuccessUrls ?? false,
    publicUrl: flags.publicUrl?.replace(/[/?#]*$/, '') ?? null,
    allowPrivateNotify: flags.allowPrivateNotify ?? false,
    keepWarm,
    json: flags.json ?? false,
    edge,
  };
}
