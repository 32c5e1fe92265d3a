import { accessSync, constants, statSync } from 'node:fs';
import { z } from 'zod';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { PopQuestion } from '../../core/pops/pop-choice.ts';
import type { FieldNames } from '../../core/request/request-input.ts';
import { parseTargetUrl } from '../../core/request/url.ts';
import { flagOf, type RawOptions, textFlag, yesFlag } from './flags.ts';
import type { ColumnChoice } from '../../lists/list-shape.ts';

/** What each field of a request is called on the command line. */
export const FIELD_FLAGS: FieldNames = {
  urls: '--url',
  domain: '--domain',
  pops: { pop: '--pops', country: '--countries', region: '--regions' },
  headers: '--header',
  timeout: '--timeout',
  agents: '--agents',
  acceptStatus: '--accept-status',
  firstByteTimeout: '--first-byte-timeout',
  notifyUrl: '--notify-url',
  name: '--name',
};

const texts = z.array(z.string());

/** The options of `addListOptions`, and `--timeout`. */
export const LIST_FLAGS = {
  url: texts,
  domain: textFlag('the name of the distribution'),
  pops: texts,
  countries: texts,
  regions: texts,
  header: texts,
  headerFile: textFlag('the path of a file'),
  timeout: z.string(),
  firstByteTimeout: z.string(),
  invalidate: yesFlag,
  skipBad: yesFlag,
  column: textFlag('the name or the number of a column'),
  base: textFlag('a URL as in https://www.example.com'),
} as const;

/** How the lines of FILE are read, beside what they say themselves. */
export interface ListReading {
  /** Null: the column named url, or the only one that holds URLs. */
  readonly column: ColumnChoice | null;
  /** `https://host` without a final slash; null: a path is a fault. */
  readonly base: string | null;
}

const MAX_COLUMN = 10_000;

function readBase(raw: string, faults: InputFault[]): string | null {
  const parsed = parseTargetUrl(raw);
  const url = 'url' in parsed ? new URL(parsed.url) : null;
  if (url !== null && url.pathname === '/' && url.search === '') return url.origin;
  faults.push(
    inputFault(
      '--base',
      raw,
      'fault' in parsed ? parsed.fault : 'holds a path; write scheme and host alone, as in https://www.example.com',
    ),
  );
  return null;
}

/** Reads `--column` and `--base`; what is wrong with them is added to `faults`. */
export function readListReading(
  flags: { readonly column?: string | undefined; readonly base?: string | undefined },
  faults: InputFault[],
): ListReading {
  const { column = null, base = null } = flags;
  const number = column !== null && /^\d{1,9}$/.test(column.trim()) ? Number(column) : null;
  if (number !== null && (number < 1 || number > MAX_COLUMN)) {
    faults.push(inputFault('--column', column, `write the name of a column, or its number from 1 to ${MAX_COLUMN}`));
  }
  return { column: number ?? column, base: base === null ? null : readBase(base, faults) };
}

const PLACES = [
  { option: 'pops', targetType: 'pop' },
  { option: 'countries', targetType: 'country' },
  { option: 'regions', targetType: 'region' },
] as const;

/** Where to warm, from the one of three flags that may be given. Flags may be repeated and hold lists: `--pops A,B --pops C`. */
export function readPopQuestion(raw: RawOptions, faults: InputFault[]): PopQuestion {
  const given = PLACES.filter(({ option }) => raw[option] !== undefined);
  const [first] = given;
  if (first === undefined) return { targetType: 'pop', names: [] };
  const { option, targetType } = first;
  if (given.length > 1) {
    const flags = given.map((place) => flagOf(place.option)).join(' and ');
    faults.push(inputFault(flagOf(option), '', `${flags} exclude each other; give one of them`));
  }
  const names = (raw[option] as readonly string[]).flatMap((list) => list.split(',')).map((name) => name.trim());
  if (names.every((name) => name === '')) {
    faults.push(
      inputFault(flagOf(option), names.join(','), 'names nothing; name at least one, or leave the option out for the default POPs'),
    );
  }
  return { targetType, names: names.filter((name) => name !== '') };
}

/** The statuses of `--accept-status`, which may be repeated and hold lists. */
export function statusesOf(lists: readonly string[] = []): readonly string[] {
  return lists.flatMap((list) => list.split(',')).map((status) => status.trim());
}

/** Why a path cannot be read or written; null: it can. */
export function obstacle(path: string, mode: number): string | null {
  try {
    accessSync(path, mode);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

/** Whether `path` is a list that can be read; what is wrong is added to `faults`. */
export function checkListFile(path: string, faults: InputFault[]): void {
  if (path === '-') return;
  const code = obstacle(path, constants.R_OK);
  if (code !== null) faults.push(inputFault('FILE', path, `cannot be read (${code}); name a file of URLs, or - for standard input`));
  else if (statSync(path).isDirectory()) faults.push(inputFault('FILE', path, 'is a directory; name a file of URLs'));
}
