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

const SLICE_NUMBERS: readonly (keyof Slice)[] = ['number', 'part', 'start', 'end', 'rows'];

/** Whether what came from a queue is a task, and not something that somebody else put there. */
export function isTaskMessage(value: unknown): value is TaskMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { requestId, taskId, pop, addresses, slice, headers } = value as Partial<Record<keyof TaskMessage, unknown>>;
  if (typeof requestId !== 'string' || typeof taskId !== 'string' || typeof pop !== 'string') return false;
  if (headers !== undefined && !isHeadersName(headers)) return false;
  if (!Array.isArray(addresses) || typeof slice !== 'object' || slice === null) return false;
  const parts = slice as Partial<Record<keyof Slice, unknown>>;
  return (parts.list === 'sized' || parts.list === 'failed') && SLICE_NUMBERS.every((name) => Number.isSafeInteger(parts[name]));
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
