import { z } from 'zod';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { dailyBudgetFaults } from '../../core/keep-warm/budget.ts';
import { DEFAULT_PER_MINUTE } from '../../core/keep-warm/route-list.ts';
import { type RouteFieldNames, type RouteInput, validateRoute } from '../../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import { readEdgeOptions } from './edge-options.ts';
import { parseFlags, type RawOptions, textFlag, wholeNumber, yesFlag } from './flags.ts';
import { withHeaderFile } from './header-file.ts';

/** What `prewarm keep-warm` is to do. Everything in it is valid, but the domain may be an alias. */
export interface KeepWarmOptions {
  readonly input: RouteInput;
  /** Null: until it is interrupted. */
  readonly minutes: number | null;
  readonly json: boolean;
  readonly edge: EdgeOptions;
}

/** A week: whoever wants more than that wants a service. */
const MAX_MINUTES = 10_080;

const FIELD_FLAGS: RouteFieldNames = {
  domain: '--domain',
  host: '--host',
  path: '--path',
  pops: '--pops',
  requestsPerPop: '--per-minute',
  method: '--method',
  headers: '--header',
};

/** Of `--max-per-day` and its like. */
export const maxPerDayFlag = wholeNumber(1, 999_999_999);

const texts = z.array(z.string());
const FLAGS = {
  domain: z.string(),
  host: z.string(),
  path: z.string(),
  pops: texts,
  perMinute: z.string(),
  for: wholeNumber(1, MAX_MINUTES),
  maxPerDay: maxPerDayFlag,
  method: z.string(),
  header: texts,
  headerFile: textFlag('the path of a file'),
  json: yesFlag,
} as const;

/** Reads the options of `prewarm keep-warm`, and every file they name. Throws InvalidInput with all that is wrong with them. */
export function parseKeepWarmOptions(raw: RawOptions): KeepWarmOptions {
  const faults: InputFault[] = [];
  const flags = parseFlags(FLAGS, raw, faults);
  if (flags.path === undefined)
    faults.push(inputFault('--path', '', 'is missing; write the path that is to be asked for, as in /api/time'));
  const fields = {
    domain: flags.domain ?? null,
    host: flags.host ?? null,
    path: flags.path ?? '/',
    pops: (flags.pops ?? []).flatMap((list) => list.split(',')),
    requestsPerPop: flags.perMinute ?? DEFAULT_PER_MINUTE,
    method: flags.method ?? 'GET',
    headers: withHeaderFile(flags.header ?? [], flags.headerFile, faults),
  };
  const input = validateRoute(fields, FIELD_FLAGS, popCatalogue(), faults);
  // With a POP or a number that is wrong, the sum would be too.
  if (faults.length === 0) faults.push(...dailyBudgetFaults([input.route], flags.maxPerDay, '--max-per-day'));
  const edge = readEdgeOptions(raw, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return { input, minutes: flags.for ?? null, json: flags.json ?? false, edge };
}
