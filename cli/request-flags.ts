import { accessSync, constants, statSync } from 'node:fs';
import { z } from 'zod';
import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { PopQuestion } from '../core/pop-choice.ts';
import type { FieldNames } from '../core/request-input.ts';
import { flagOf, type RawOptions, textFlag, yesFlag } from './flags.ts';

/** What each field of a request is called on the command line. */
export const FIELD_FLAGS: FieldNames = {
  urls: '--url',
  domain: '--domain',
  pops: { pop: '--pops', country: '--countries', region: '--regions' },
  headers: '--header',
  timeout: '--timeout',
  agents: '--agents',
  acceptStatus: '--accept-status',
  notifyUrl: '--notify-url',
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
  invalidate: yesFlag,
  skipBad: yesFlag,
} as const;

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
    faults.push(inputFault(flagOf(option), raw[option], `${flags} exclude each other; give one of them`));
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
