import { constants, existsSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { DEFAULT_MAX_INVALIDATION_PATHS, MOST_INVALIDATION_PATHS } from '../../core/request/invalidation-path.ts';
import type { PopQuestion } from '../../core/pops/pop-choice.ts';
import { type RequestInput, validateRequest } from '../../core/request/request-input.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import { readEdgeOptions } from './edge-options.ts';
import { endpointFlag, flagOf, parseFlags, type RawOptions, textFlag, wholeNumber, yesFlag } from './flags.ts';
import { withHeaderFile } from './header-file.ts';
import {
  checkListFile,
  FIELD_FLAGS,
  LIST_FLAGS,
  type ListReading,
  obstacle,
  readListReading,
  readPopQuestion,
  statusesOf,
} from './request-flags.ts';
import { type GivenAgain, givenAgain } from './same-options.ts';
import { readSuccessRule, type SuccessRule } from './success-rule.ts';
import { atBase } from '../../lists/url-list.ts';
import { MAX_IN_FLIGHT } from '../../core/work/lanes.ts';

/** What `prewarm run` is to do. Everything in it is valid. */
export interface RunOptions {
  /** Path of the list, `-` for standard input; null: `request.urls` is all there is. */
  readonly file: string | null;
  /** Of `--url`. */
  readonly urls: readonly string[];
  /** Goes on without the bad lines of `file`. */
  readonly skipBad: boolean;
  readonly reading: ListReading;
  /** What is asked for; its `urls` are those of `--url`. Null: the request in the data directory is resumed. */
  readonly request: RequestInput | null;
  /** Agent processes. */
  readonly agents: number;
  /** Downloads in flight per agent; null: each finds its own number. */
  readonly concurrency: number | null;
  readonly invalidationEndpoint: string | null;
  /** Most distinct paths to invalidate. */
  readonly maxInvalidationPaths: number;
  /** Path of the report; null: none. */
  readonly out: string | null;
  /** Null: a temporary directory. */
  readonly dataDir: string | null;
  readonly json: boolean;
  /** Shows every URL that failed instead of the first ten. */
  readonly verbose: boolean;
  readonly edge: EdgeOptions;
  readonly success: SuccessRule;
  /** Options of the request that are given again to a resumed run; null: none is. */
  readonly again: GivenAgain | null;
  /** Flags that were given and mean nothing to a resumed request. */
  readonly ignored: readonly string[];
}

const MAX_AGENTS = 256;

const FLAGS = {
  ...LIST_FLAGS,
  name: z.string(),
  agents: wholeNumber(1, MAX_AGENTS),
  acceptStatus: z.array(z.string()),
  concurrency: wholeNumber(1, MAX_IN_FLIGHT),
  invalidationEndpoint: endpointFlag,
  maxInvalidationPaths: wholeNumber(1, MOST_INVALIDATION_PATHS),
  out: textFlag('the path of a file'),
  dataDir: textFlag('the path of a directory'),
  resume: yesFlag,
  json: yesFlag,
  verbose: yesFlag,
} as const;

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

/** Say how a list is taken, which a resumed run has done already. */
const TAKING_FLAGS = ['maxInvalidationPaths', 'skipBad', 'column', 'base'] as const;
/** Of those, the ones by which a list that is given again is read. */
const READING_FLAGS: readonly string[] = ['skipBad', 'column', 'base'];

/** One core is left to the pipeline; agents take a core each. */
export function defaultAgents(cores: number = availableParallelism()): number {
  return Math.max(1, cores - 1);
}

function checkReport(path: string, file: string | undefined, faults: InputFault[]): void {
  const fault = (message: string) => faults.push(inputFault('--out', path, message));
  const folder = dirname(resolve(path));
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) fault('is a directory; name a file in it');
    else if (obstacle(path, constants.W_OK) !== null) fault('cannot be written; name another file');
    else if (file !== undefined && existsSync(file) && realpathSync(file) === realpathSync(path))
      fault('is the list itself; name another file');
  } else if (!existsSync(folder)) fault(`lies in a folder that does not exist; make ${folder} first`);
  else if (obstacle(folder, constants.W_OK) !== null) fault(`lies in a folder that cannot be written: ${folder}`);
}

function checkSource(file: string | undefined, flags: Flags, faults: InputFault[]): void {
  if (flags.resume === true) {
    if (flags.dataDir === undefined) faults.push(inputFault('--resume', '', 'needs --data-dir with the directory of the interrupted run'));
    else if (!existsSync(flags.dataDir))
      faults.push(inputFault('--data-dir', flags.dataDir, 'does not exist, so there is nothing to resume'));
    if (file !== undefined) checkListFile(file, faults);
  } else if (file !== undefined) checkListFile(file, faults);
  else if (flags.url === undefined)
    faults.push(inputFault('FILE', '', 'is missing; name a file of URLs, - for standard input, or give --url'));
}

/** The request as far as it can be judged without the list; throws InvalidInput with all faults, earlier ones included. */
function readRequest(flags: Flags, question: PopQuestion, base: string | null, faults: InputFault[]): RequestInput {
  const fields = {
    urls: flags.url?.map((url) => (base === null ? url : atBase(url, base))) ?? null,
    domain: flags.domain ?? null,
    question,
    headers: withHeaderFile(flags.header ?? [], flags.headerFile, faults),
    timeout: flags.timeout ?? null,
    agents: flags.agents ?? defaultAgents(),
    invalidate: flags.invalidate ?? false,
    acceptStatus: statusesOf(flags.acceptStatus),
    firstByteTimeout: flags.firstByteTimeout ?? null,
    name: flags.name ?? null,
  };
  return validateRequest(fields, FIELD_FLAGS, popCatalogue(), faults);
}

function ignoredOf(flags: Flags, isListGiven: boolean): readonly string[] {
  const given = TAKING_FLAGS.filter((option) => flags[option] !== undefined);
  return given.filter((option) => !(isListGiven && READING_FLAGS.includes(option))).map(flagOf);
}

/**
 * Reads the arguments of `prewarm run`, and every file they name except the list. Throws InvalidInput with all that is
 * wrong with them.
 */
export function parseRunOptions(file: string | undefined, raw: RawOptions): RunOptions {
  const faults: InputFault[] = [];
  const flags = parseFlags(FLAGS, raw, faults);
  const resume = flags.resume === true;
  checkSource(file, flags, faults);
  if (flags.out !== undefined) checkReport(flags.out, file, faults);
  const edge = readEdgeOptions(raw, faults);
  const success = readSuccessRule(raw, faults);
  const reading = readListReading(flags, faults);
  const repeated = resume ? givenAgain(flags) : [];
  const input = resume && repeated.length === 0 ? null : readRequest(flags, readPopQuestion(flags, faults), reading.base, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return {
    file: file ?? null,
    urls: flags.url ?? [],
    skipBad: flags.skipBad ?? false,
    reading,
    request: resume ? null : input,
    agents: flags.agents ?? defaultAgents(),
    concurrency: flags.concurrency ?? null,
    invalidationEndpoint: flags.invalidationEndpoint ?? null,
    maxInvalidationPaths: flags.maxInvalidationPaths ?? DEFAULT_MAX_INVALIDATION_PATHS,
    out: flags.out ?? null,
    dataDir: flags.dataDir ?? null,
    json: flags.json ?? false,
    verbose: flags.verbose ?? false,
    edge,
    success,
    again: resume && input !== null ? { options: repeated, input } : null,
    ignored: resume ? ignoredOf(flags, file !== undefined || flags.url !== undefined) : [],
  };
}
