import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { RequestInput } from '../../core/request/request-input.ts';
import type { RequestSpec } from '../../core/request/request.ts';
import { flagOf, type RawOptions } from './flags.ts';
import { REMEDY } from './same-list.ts';

type Asked = Omit<RequestSpec, 'agents' | 'notifyUrl' | 'places'>;

/** What each option of a request is compared by. */
const COMPARED = {
  domain: ({ domain }) => domain,
  pops: ({ pops }) => pops.map(({ pop }) => pop),
  countries: ({ pops }) => pops.map(({ pop }) => pop),
  regions: ({ pops }) => pops.map(({ pop }) => pop),
  header: ({ variants }) => variants.map(({ headers }) => headers),
  headerFile: ({ variants }) => variants.map(({ headers }) => headers),
  timeout: ({ timeoutMinutes }) => timeoutMinutes,
  firstByteTimeout: ({ firstByteTimeoutSeconds = null }) => firstByteTimeoutSeconds,
  acceptStatus: ({ acceptStatus }) => acceptStatus,
  invalidate: ({ invalidate }) => invalidate,
  name: ({ name = null }) => name,
} as const satisfies Readonly<Record<string, (spec: Asked) => unknown>>;

type ComparedOption = keyof typeof COMPARED;

const HEADERS: readonly string[] = ['header', 'headerFile'];

/** Options of a request that were given again to a resumed run. */
export interface GivenAgain {
  readonly options: readonly ComparedOption[];
  /** What they ask for, as a request of its own. */
  readonly input: RequestInput;
}

export const givenAgain = (raw: RawOptions): readonly ComparedOption[] =>
  (Object.keys(COMPARED) as ComparedOption[]).filter((option) => raw[option] !== undefined);

/** A header may be a secret, which no message holds. */
function givenValue(raw: RawOptions, option: ComparedOption): string {
  const value = raw[option];
  if (option === 'header') return '';
  return Array.isArray(value) ? value.join(',') : typeof value === 'string' ? value : '';
}

/**
 * Makes sure that options which are given again to a resumed run ask for what the run does already. Throws InvalidInput with those
 * that ask for something else. `hasSecrets` false: the run has ended and its headers are forgotten, so that they are not compared.
 */
export function checkSameOptions(
  given: readonly ComparedOption[],
  { asked, run, raw }: { readonly asked: Asked; readonly run: Asked; readonly raw: RawOptions },
  hasSecrets: boolean,
): void {
  const faults: InputFault[] = given.flatMap((option) => {
    if (HEADERS.includes(option) && !hasSecrets) return [];
    const read = COMPARED[option];
    if (JSON.stringify(read(asked)) === JSON.stringify(read(run))) return [];
    return [inputFault(flagOf(option), givenValue(raw, option), `is not what the interrupted run was given; ${REMEDY}`)];
  });
  if (faults.length > 0) throw new InvalidInput(faults);
}
