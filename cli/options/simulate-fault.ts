import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { POP_NAME } from '../../core/pops/pop-choice.ts';
import { readWholeNumber } from '../../core/whole-number.ts';
import { type Fault, type FaultMatch, isConnectionFault } from '../../simulator/fault-rules.ts';

/** A fault that the edge has from its start. */
export interface PlannedFault {
  /** As the user wrote it. */
  readonly text: string;
  readonly match: FaultMatch;
  readonly fault: Fault;
}

interface Kind {
  /** How it is written, with a value that fits. */
  readonly form: string;
  /** The fault for a value ('' where none is given); null: the value does not fit. */
  readonly make: (value: string) => Fault | null;
}

const MAX_BYTES = 999_999_999;
const MAX_DELAY_MS = 600_000;

const plain = (form: string, fault: Fault): Kind => ({ form, make: (value) => (value === '' ? fault : null) });

const numbered = (form: string, [from, to]: readonly [number, number], make: (value: number) => Fault): Kind => ({
  form,
  make(value) {
    const number = readWholeNumber(value, from, to);
    return number === null ? null : make(number);
  },
});

/** A kind whose value is one of some words; the first one may be left out. */
function worded<W extends string>(name: string, words: readonly [W, ...W[]], make: (word: W) => Fault): Kind {
  return {
    form: `${name}[=${words.join('|')}]`,
    make(value) {
      const word = words.find((known) => known === (value === '' ? words[0] : value));
      return word === undefined ? null : make(word);
    },
  };
}

const KINDS: Readonly<Record<string, Kind>> = {
  status: numbered('status=503', [200, 599], (status) => ({ kind: 'status', status })),
  latency: numbered('latency=200', [1, MAX_DELAY_MS], (ms) => ({ kind: 'latency', ms })),
  trickle: numbered('trickle=1000', [1, MAX_BYTES], (bytesPerSecond) => ({ kind: 'trickle', bytesPerSecond })),
  truncate: numbered('truncate=100', [0, MAX_BYTES], (afterBytes) => ({ kind: 'truncate', afterBytes })),
  stall: worded('stall', ['headers', 'body'], (at) => ({ kind: 'stall', at })),
  reset: plain('reset', { kind: 'reset' }),
  'never-hit': plain('never-hit', { kind: 'never-hit' }),
  'never-store': plain('never-store', { kind: 'never-store' }),
  'no-x-cache': plain('no-x-cache', { kind: 'no-x-cache' }),
  'x-cache': { form: 'x-cache=TEXT', make: (value) => (/^[!-~][ -~]*$/.test(value) ? { kind: 'x-cache', lines: [value] } : null) },
  'wrong-pop': {
    form: 'wrong-pop=NRT57-P3',
    make: (value) => (POP_NAME.test(value.toUpperCase()) ? { kind: 'wrong-pop', pop: value.toUpperCase() } : null),
  },
  generated: worded('generated', ['function', 'lambda'], (by) => ({ kind: 'generated', by })),
  challenge: worded('challenge', ['challenge', 'captcha'], (action) => ({ kind: 'challenge', action })),
  'unasked-part': plain('unasked-part', { kind: 'unasked-part' }),
  'range-total': numbered('range-total=100', [0, MAX_BYTES], (bytes) => ({ kind: 'range-total', bytes })),
  dead: worded('dead', ['refuses', 'silent'], (how) => ({ kind: 'dead', how })),
  'wrong-certificate': plain('wrong-certificate', { kind: 'wrong-certificate' }),
};

const FORMS = Object.values(KINDS)
  .map(({ form }) => form)
  .join(', ');

function kindOf(name: string): Kind | null {
  return Object.hasOwn(KINDS, name) ? (KINDS[name] ?? null) : null;
}

/** What is wrong with where the fault is to be met, in words; null: nothing. */
function faultOfPlace(fault: Fault, { pop, path }: { pop: string; path: string }, pops: readonly string[]): string | null {
  if (pop !== '' && !pops.includes(pop))
    return `meets a POP that is not simulated (${pops.join(', ')}); name it in --pops too, or write @/PATH`;
  if (path !== '' && isConnectionFault(fault)) return 'meets connections, so it takes no path; leave the path out';
  return pop === '' && path === '' ? 'ends with @; write a POP, a /PATH or both after it, or leave the @ out' : null;
}

/** Reads `KIND[=VALUE][@[POP][/PATH]]`; null where it is none, of which `faults` then tells. `pops`: those that are simulated. */
export function readPlannedFault(text: string, pops: readonly string[], faults: InputFault[]): PlannedFault | null {
  const refuse = (message: string) => {
    faults.push(inputFault('--fault', text, message));
    return null;
  };
  const at = text.indexOf('@');
  const what = at < 0 ? text : text.slice(0, at);
  const equals = what.indexOf('=');
  const [name, value] = equals < 0 ? [what, ''] : [what.slice(0, equals), what.slice(equals + 1)];
  const kind = kindOf(name);
  if (kind === null) return refuse(`is no kind of fault; write one of ${FORMS}`);
  const fault = equals >= 0 && value === '' ? null : kind.make(value);
  if (fault === null) return refuse(`has a value that ${name} does not take; write ${kind.form}`);
  if (at < 0) return { text, match: {}, fault };
  const place = text.slice(at + 1);
  const slash = place.indexOf('/');
  const pop = (slash < 0 ? place : place.slice(0, slash)).toUpperCase();
  const path = slash < 0 ? '' : place.slice(slash);
  const wrong = faultOfPlace(fault, { pop, path }, pops);
  return wrong === null ? { text, match: { ...(pop === '' ? {} : { pop }), ...(path === '' ? {} : { path }) }, fault } : refuse(wrong);
}
