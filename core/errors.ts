import type { ErrorCode } from './failures.ts';

/**
 * The root of the project's errors: a stable `code` for programs, a message with the remedy for people, and the `cause`.
 * A class below it only adds fields to it. What a code means stands in `FAILURES`.
 */
export class PrewarmError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PrewarmError';
    this.code = code;
  }
}

/** One thing wrong with what came from outside: where it is, what it is, and what to write instead. */
export interface InputFault {
  /** The field or flag as the user knows it: `pops`, `--header`, `url`. */
  readonly field: string;
  /** 1-based line of the input file, where the fault is in one. */
  readonly line?: number;
  /** The offending value, shortened to 200 characters. */
  readonly value: string;
  /** What is wrong and what to write instead. */
  readonly message: string;
}

/** Faults that are spelt out; the rest is counted. */
export const MAX_FAULTS_TOLD = 20;

/** Input that was refused as a whole. The first faults are listed, and the others are counted. */
export class InvalidInput extends PrewarmError {
  readonly faults: readonly InputFault[];
  /** The first URLs of the request that are wrong, as they were given. */
  readonly errorUrls: readonly string[];
  /** Faults that were found beside those of `faults`. */
  readonly omitted: number;

  constructor(faults: readonly InputFault[], errorUrls: readonly string[] = [], omitted = 0) {
    super('invalid_input', tellFaults(faults, omitted).join('\n'));
    this.name = 'InvalidInput';
    this.faults = faults;
    this.errorUrls = errorUrls;
    this.omitted = omitted;
  }
}

/** The first faults as text, one each, and how many more there are. */
export function tellFaults(faults: readonly InputFault[], omitted: number): readonly string[] {
  const told = faults.slice(0, MAX_FAULTS_TOLD).map(describeFault);
  const more = faults.length - told.length + omitted;
  return more === 0 ? told : [...told, `and ${more} more`];
}

export function describeFault(fault: InputFault): string {
  const where = fault.line === undefined ? fault.field : `${fault.field}, line ${fault.line}`;
  // What is not there has no value to show.
  return fault.value === '' ? `${where}: ${fault.message}` : `${where}: ${JSON.stringify(fault.value)}: ${fault.message}`;
}
