import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { accounted, addCounters, type Counters } from '../../core/work/counters.ts';
import type { ListPosition } from '../../core/ports/request-store.ts';
import { countersToMetadata, longCounterKey, shortCounterKey } from '../../core/work/record-task.ts';
import type { PopRow, RequestRow, RequestSummary } from '../../core/request/request.ts';
import type { TaskRow } from '../../core/work/task.ts';
import { LISTED, ROW_LIFETIME_DAYS } from '../../deployment/tables.ts';

export type Item = Readonly<Record<string, AttributeValue>>;

/**
 * Plain values as attributes; undefined ones of an object are left out. The SDK's own @aws-sdk/util-dynamodb takes 2.7 times as long
 * to write a row of 300 counters (700 against 263 µs) and 1.7 times to read it, and adds 4 kB to every function that has a table.
 */
export function toAttribute(value: unknown): AttributeValue {
  if (value === null) return { NULL: true };
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'boolean') return { BOOL: value };
  if (typeof value === 'number' && Number.isFinite(value)) return { N: String(value) };
  if (Array.isArray(value)) return { L: value.map(toAttribute) };
  if (typeof value === 'object') {
    const kept = Object.entries(value).filter(([, each]) => each !== undefined);
    return { M: Object.fromEntries(kept.map(([key, each]) => [key, toAttribute(each)])) };
  }
  throw new TypeError(`a ${typeof value} that is no finite number cannot be kept in DynamoDB`);
}

function fromAttribute(attribute: AttributeValue): unknown {
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  if (attribute.M !== undefined) return fromItem(attribute.M);
  if (attribute.NULL !== undefined) return null;
  throw new TypeError(`${Object.keys(attribute).join()} is no attribute type of this program`);
}

/** An item; what is null has no attribute. */
export function toItem(row: Readonly<Record<string, unknown>>): Item {
  const item: Record<string, AttributeValue> = {};
  for (const [key, value] of Object.entries(row)) if (value !== null) item[key] = toAttribute(value);
  return item;
}

export function fromItem(item: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).map(([key, attribute]) => [key, fromAttribute(attribute)]));
}

const LISTED_AT_DIGITS = 15;
/** The item limit is 400 KB: with 200 POPs, 2 KB are left for each one's addresses. */
const POPS_PER_ITEM = 200;

/** `at` in milliseconds; the answer in seconds, as DynamoDB wants it. */
export function expiresAt(at: number): number {
  return Math.ceil(at / 1000) + ROW_LIFETIME_DAYS * 86_400;
}

/** Orders requests by age, then by id. */
export function listedAt({ createdAt, id }: ListPosition): string {
  return `${String(createdAt).padStart(LISTED_AT_DIGITS, '0')}/${id}`;
}

/** Reads what `listedAt` wrote. */
export function positionOf(listed: string): ListPosition {
  const slash = listed.indexOf('/');
  return { createdAt: Number(listed.slice(0, slash)), id: listed.slice(slash + 1) };
}

/** Names of POPs hold no blanks, and as one text they take half the room: every change of a row is paid by its size. */
const joinNames = (names: readonly string[]) => names.join(' ');
const splitNames = (text: string) => (text === '' ? [] : text.split(' '));

/** What is kept of a request beside its row. */
export interface KeptRequest {
  readonly row: RequestRow;
  /** Rises with every change of the counters while the request is active. */
  readonly countedTasks: number;
}

/** The counters under short names: a row is paid by its size, and first-byte times are most of it. */
export function storedCounters(counters: Counters): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).map(([key, value]) => [shortCounterKey(key), value]));
}

function readCounters(stored: unknown): Counters {
  const named = Object.entries(stored as Record<string, number>).map(([key, value]) => [longCounterKey(key), value]);
  return Object.fromEntries(named) as Counters;
}

/** A default POP has a mark before its name. */
const DEFAULT_MARK = '~';

/** Without the claim, which changes: it is an attribute of its own. */
export function storedSpec(spec: RequestRow['spec']) {
  const pops = joinNames(spec.pops.map(({ pop, named }) => (named ? pop : `${DEFAULT_MARK}${pop}`)));
  return { ...spec, agents: undefined, pops };
}

function readSpec(stored: unknown, agents: number): RequestRow['spec'] {
  const { pops, ...spec } = stored as ReturnType<typeof storedSpec>;
  const chosen = splitNames(pops).map((name) =>
    name.startsWith(DEFAULT_MARK) ? { pop: name.slice(DEFAULT_MARK.length), named: false } : { pop: name, named: true },
  );
  return { ...spec, pops: chosen, agents };
}

export function storedPlan(plan: NonNullable<RequestRow['plan']>) {
  return { ...plan, pops: joinNames(plan.pops), skipped: joinNames(plan.skipped) };
}

function readPlan(stored: unknown): NonNullable<RequestRow['plan']> {
  const plan = stored as ReturnType<typeof storedPlan>;
  return { ...plan, pops: splitNames(plan.pops), skipped: splitNames(plan.skipped) };
}

/**
 * At most 400 KB: about 19,000 POPs, each named in the spec and in the plan. Headers have at most 12 KB.
 */
export function requestItem(row: RequestRow): Item {
  return toItem({
    ...row,
    listed: LISTED,
    listedAt: listedAt(row),
    spec: storedSpec(row.spec),
    agents: row.spec.agents,
    counters: storedCounters(row.counters),
    accounted: accounted(row.counters),
    countedTasks: 0,
    plan: row.plan === null ? null : storedPlan(row.plan),
    expiresAt: expiresAt(row.createdAt),
  });
}

/** What is null in the row has no attribute. */
type StoredRequest = Omit<RequestRow, 'spec' | 'counters' | 'plan'> & {
  readonly spec: unknown;
  readonly agents: number;
  readonly counters: unknown;
  readonly plan?: unknown;
  readonly countedTasks: number;
};

export function readRequest(item: Item): KeptRequest {
  const stored = fromItem(item) as unknown as StoredRequest;
  const row: RequestRow = {
    id: stored.id,
    spec: readSpec(stored.spec, stored.agents),
    madeBy: stored.madeBy ?? null,
    status: stored.status,
    statusReason: stored.statusReason ?? null,
    urlCount: stored.urlCount,
    totalCount: stored.totalCount,
    totalBytes: stored.totalBytes,
    counters: readCounters(stored.counters),
    sizing: stored.sizing,
    plan: stored.plan === undefined ? null : readPlan(stored.plan),
    invalidations: stored.invalidations,
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    queuedAt: stored.queuedAt ?? null,
    endedAt: stored.endedAt ?? null,
    timeoutAt: stored.timeoutAt ?? null,
  };
  return { row, countedTasks: stored.countedTasks };
}

const countNames = (joined: string) => (joined === '' ? 0 : joined.split(' ').length);

/** The row without its lists: names are counted, and none becomes an object. */
export function readSummary(item: Item): RequestSummary {
  const stored = fromItem(item) as unknown as StoredRequest;
  const { domain, pops, notifyUrl, name } = stored.spec as ReturnType<typeof storedSpec>;
  return {
    id: stored.id,
    domain: domain ?? null,
    agents: stored.agents,
    popCount: countNames(stored.plan === undefined ? pops : (stored.plan as ReturnType<typeof storedPlan>).pops),
    name: name ?? null,
    notifies: notifyUrl !== undefined,
    madeBy: stored.madeBy ?? null,
    status: stored.status,
    statusReason: stored.statusReason ?? null,
    urlCount: stored.urlCount,
    totalCount: stored.totalCount,
    totalBytes: stored.totalBytes,
    counters: readCounters(stored.counters),
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    endedAt: stored.endedAt ?? null,
    timeoutAt: stored.timeoutAt ?? null,
  };
}

const PLAN_PREFIX = 'plan#';
const SUM_PREFIX = 'pop#';

export const popKeys = {
  planPrefix: PLAN_PREFIX,
  sumPrefix: SUM_PREFIX,
  sum: (requestId: string, pop: string) => toItem({ pk: requestId, sk: `${SUM_PREFIX}${pop}` }),
};

/** The POP rows of a plan without what changes in them, so that all of them are written in one transaction with the plan. */
export function planItems(requestId: string, pops: readonly PopRow[], at: number): Item[] {
  const items: Item[] = [];
  for (let first = 0; first < pops.length; first += POPS_PER_ITEM) {
    const sk = `${PLAN_PREFIX}${String(items.length).padStart(5, '0')}`;
    const rows = pops
      .slice(first, first + POPS_PER_ITEM)
      .map(({ pop, state, addresses, totalCount, counters }) => ({ pop, state, addresses, totalCount, counters }));
    items.push(toItem({ pk: requestId, sk, pops: rows, expiresAt: expiresAt(at) }));
  }
  return items;
}

/** What has been counted of one POP. */
export interface PopSum {
  readonly pop: string;
  readonly counters: Counters;
  /** Rises with every change. */
  readonly countedTasks: number;
}

export function popSumItem(requestId: string, { pop, counters, countedTasks }: PopSum, at: number): Item {
  return {
    ...popKeys.sum(requestId, pop),
    ...toItem({ counters: storedCounters(counters), countedTasks, expiresAt: expiresAt(at) }),
  };
}

export function readPopSum(item: Item): PopSum {
  const { sk, counters, countedTasks } = fromItem(item) as { sk: string; counters: unknown; countedTasks: number };
  return { pop: sk.slice(SUM_PREFIX.length), counters: readCounters(counters), countedTasks };
}

/** In planning order. */
export function readPops(requestId: string, plan: readonly Item[], sums: readonly Item[]): PopRow[] {
  const counted = new Map(sums.map(readPopSum).map((sum) => [sum.pop, sum.counters]));
  return plan.flatMap((item) => {
    const { pops } = fromItem(item) as { pops: readonly Omit<PopRow, 'requestId'>[] };
    return pops.map((row) => {
      const sum = counted.get(row.pop);
      return { requestId, ...row, counters: sum === undefined ? row.counters : (addCounters({ ...row.counters }, sum) as Counters) };
    });
  });
}

/**
 * Under 1 KB, which is what one write unit pays: about 900 bytes with counters in 64 buckets before and after.
 * `writer` says who wrote the row, so that a writer whose answer was lost knows its own row.
 */
export function taskItem({ requestId, taskId, pop, counters, recordedAt }: TaskRow, writer: string): Item {
  return toItem({ requestId, taskId, pop, ...countersToMetadata(counters), recordedAt, writer, expiresAt: expiresAt(recordedAt) });
}
