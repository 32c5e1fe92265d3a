import { type InputFault, InvalidInput } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { EdgeAddress } from '../pops/address.ts';
import type { Counters } from './counters.ts';

/**
 * A run of consecutive rows of one part of a list, by byte range, so that an agent reads just those bytes.
 * `sized` parts are downloaded; `failed` parts hold what sizing refused and are recorded by the planner.
 */
export interface Slice {
  readonly list: 'sized' | 'failed';
  /** Ordinal over all parts of its list: the last component of a task id. */
  readonly number: number;
  readonly part: number;
  /** First byte of the run in its part. */
  readonly start: number;
  /** First byte after the run. */
  readonly end: number;
  readonly rows: number;
}

/** One pop x one slice: one queue message, a few hundred bytes whatever the URLs are. */
export interface TaskMessage {
  readonly requestId: string;
  readonly taskId: string;
  readonly pop: string;
  readonly addresses: readonly EdgeAddress[];
  readonly wave: 0;
  readonly slice: Slice;
  /** The name under which the request's headers are kept apart; absent: they are in its row. */
  readonly headers?: string;
}

/** Of objects with headers: 32 random bytes. */
const HEADERS_NAME = /^[\w-]{43}$/;

export const isHeadersName = (name: unknown): name is string => typeof name === 'string' && HEADERS_NAME.test(name);

/** A task is received at most so often. Then it is a dead letter: that many agents have died of it, or let it slip. */
export const MOST_RECEIVES = 4;

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isPlace = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const fieldsOf = (value: unknown) => (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;

function isAddress(value: unknown): boolean {
  const { ip, port, httpPort } = fieldsOf(value);
  return isText(ip) && isPlace(port) && isPlace(httpPort);
}

/** Each field of a message: whether a value will do, and what to write instead. A slice's fields are read like the message's own. */
const MESSAGE_FIELDS: Readonly<Record<Exclude<keyof TaskMessage, 'slice'>, readonly [(value: unknown) => boolean, string]>> = {
  requestId: [isText, 'is not the id of a request'],
  taskId: [isText, 'is not the id of a task'],
  pop: [isText, 'is not a POP'],
  addresses: [(value) => Array.isArray(value) && value.every(isAddress), 'is not a list of addresses with "ip", "port" and "httpPort"'],
  // For some time messages were sent without it.
  wave: [(value) => value === undefined || value === 0, 'is not 0, which is the only wave'],
  headers: [(value) => value === undefined || isHeadersName(value), 'does not name an object with headers'],
};
const NUMBER = [isPlace, 'is not a whole number from 0 upwards'] as const;
const SLICE_FIELDS: Readonly<Record<keyof Slice, readonly [(value: unknown) => boolean, string]>> = {
  list: [(value) => value === 'sized' || value === 'failed', 'is neither "sized" nor "failed"'],
  number: NUMBER,
  part: NUMBER,
  start: NUMBER,
  end: NUMBER,
  rows: NUMBER,
};

/** Finds what keeps the content of a queue's message from being a task. Fields that it does not know are left alone. */
export function findTaskFaults(message: unknown): readonly InputFault[] {
  const fields = fieldsOf(message);
  const faultsOf = (values: Readonly<Record<string, unknown>>, wanted: typeof MESSAGE_FIELDS | typeof SLICE_FIELDS, prefix: string) =>
    Object.entries(wanted).flatMap(([name, [isRight, remedy]]) =>
      isRight(values[name]) ? [] : inputFault(`${prefix}${name}`, values[name] ?? '', remedy),
    );
  return [...faultsOf(fields, MESSAGE_FIELDS, ''), ...faultsOf(fieldsOf(fields['slice']), SLICE_FIELDS, 'slice.')];
}

/** Reads the content of a queue's message. Throws InvalidInput with every fault where it is not a task. */
export function parseTaskMessage(message: unknown): TaskMessage {
  const faults = findTaskFaults(message);
  if (faults.length > 0) throw new InvalidInput(faults);
  return message as TaskMessage;
}

/** What is recorded of a task, once: the counts of its result object. */
export interface TaskRow {
  readonly requestId: string;
  readonly taskId: string;
  readonly pop: string;
  readonly counters: Counters;
  readonly recordedAt: number;
}

/** `<pop>#<wave>#<slice>`: deterministic, so that planning or working twice meets the same row and object. */
export function taskIdOf(pop: string, wave: number, slice: Pick<Slice, 'list' | 'number'>): string {
  return `${pop}#${wave}#${slice.list === 'failed' ? 'f' : ''}${slice.number}`;
}
