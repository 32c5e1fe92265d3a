import type { SqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { sleep } from '../../../core/clock.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import type { DeadLetters, Queue } from '../../../core/ports/queue.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import type { Faults } from './faults.ts';
import { InjectedFault, type SimProcess } from './sim-process.ts';

const MAX_LATE_MS = 5000;
const MAX_STALE_MS = 3000;
const LOST_FOR_MS = 60_000;
/** A lease that is cut short ends after this. */
const CUT_LEASE_MS = 50;

/** Every method of a port through the process that calls it. */
export function throughProcess<T extends object>(process: SimProcess, name: string, port: T): T {
  const wrapped: Record<string, unknown> = {};
  for (const [method, inner] of Object.entries(port) as [string, (...args: unknown[]) => Promise<unknown>][]) {
    wrapped[method] = (...args: unknown[]) =>
      process.call(`${name}.${method}${args.map(describe).join('')}`, async () => inner.apply(port, args));
  }
  return wrapped as T;
}

/** What tells calls apart in a journal. */
function describe(value: unknown): string {
  if (typeof value === 'string') return value.length <= 80 ? ` ${value}` : '';
  if (typeof value === 'number') return ` ${value}`;
  if (Array.isArray(value)) return ` [${value.length}]`;
  if (typeof value !== 'object' || value === null) return '';
  const { taskId, id } = value as { taskId?: unknown; id?: unknown };
  return describe(taskId ?? id);
}

const CONDITIONAL_WRITES = ['transition', 'saveSizing', 'fixPlan', 'putTask', 'countTasks', 'end'] as const;

/** Tables whose conditional writes may come late, when what they are conditional on has changed. */
export function faultyStore(process: SimProcess, faults: Faults, store: RequestStore): RequestStore {
  const wrapped = throughProcess(process, 'store', store);
  const late: Record<string, unknown> = {};
  for (const method of CONDITIONAL_WRITES) {
    const write = wrapped[method] as (...args: unknown[]) => Promise<unknown>;
    late[method] = async (...args: unknown[]) => {
      if (faults.strikes('write_stale', process.random, process.name)) await sleep(process.clock, process.random.between(0, MAX_STALE_MS));
      return write(...args);
    };
  }
  return { ...wrapped, ...late };
}

/** Lists whose reads come in pieces cut anywhere, and may break off. */
export function faultyLists(process: SimProcess, faults: Faults, lists: ListStore): ListStore {
  async function* inPieces(what: string, chunks: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    await process.call(what, async () => {});
    for await (const chunk of chunks()) {
      for (let at = 0; at < chunk.length; ) {
        const size = process.random.pick([7, 100, 1000, 64_000]);
        yield chunk.subarray(at, at + size);
        at += size;
        if (faults.strikes('read_cut', process.random, process.name)) throw new InjectedFault(`${what} cut`);
      }
    }
  }
  return {
    ...throughProcess(process, 'lists', lists),
    read: (key, range) => inPieces(`lists.read ${key} ${range?.start ?? ''}`, () => lists.read(key, range)),
    readResult: (key) => inPieces(`lists.readResult ${key}`, () => lists.readResult(key)),
  };
}

/** Tasks, and those that nobody brought to an end. */
export type SimQueue = Queue<TaskMessage> & DeadLetters<TaskMessage>;

/** A queue that keeps its promises, and no others: at least once, in any order, late. */
export function faultyQueue(process: SimProcess, faults: Faults, queue: SqliteQueue<TaskMessage>): SimQueue {
  const { random, name } = process;
  const strikes = (kind: Parameters<Faults['strikes']>[0]) => faults.strikes(kind, random, name);

  async function sendOne(message: TaskMessage, delayMs: number): Promise<void> {
    if (strikes('message_twice')) await queue.send([message], delayMs + random.between(0, MAX_LATE_MS));
    const late = strikes('message_late') ? random.between(0, MAX_LATE_MS) : strikes('message_lost') ? LOST_FOR_MS : 0;
    await queue.send([message], delayMs + late);
  }

  const messageOf = (receipt: string) => receipt.slice(0, receipt.indexOf('-'));
  return {
    // Receipts are random: a journal names the message instead.
    extend: (receipt, leaseMs) => process.call(`tasks.extend ${messageOf(receipt)}`, () => queue.extend(receipt, leaseMs)),
    delete: (receipt) => process.call(`tasks.delete ${messageOf(receipt)}`, () => queue.delete(receipt)),
    receiveDead: (max) => process.call('tasks.receiveDead', () => queue.receiveDead(max)),
    deleteDead: (receipt) => process.call(`tasks.deleteDead ${messageOf(receipt)}`, () => queue.deleteDead(receipt)),
    counts: () => process.call('tasks.counts', () => queue.counts()),
    send: (messages, delayMs = 0) =>
      process.call(`tasks.send ${messages.map(({ taskId }) => taskId).join(' ')}`, async () => {
        for (const message of strikes('messages_shuffled') ? random.shuffled(messages) : messages) {
          await sendOne(message, delayMs);
          if (strikes('send_cut')) throw new InjectedFault('send cut');
        }
      }),
    receive: (max, waitMs) =>
      process.call('tasks.receive', async () => {
        const leased = await queue.receive(max, waitMs);
        for (const { message, receiveCount, receipt } of leased) {
          if (receiveCount > 1) faults.disturbed('received again');
          process.note(`receives ${message.requestId} ${message.taskId} (${receiveCount})`);
          if (strikes('lease_cut')) await queue.extend(receipt, CUT_LEASE_MS);
        }
        if (leased.length > 0 && strikes('delivery_lost')) return [];
        return strikes('messages_shuffled') ? random.shuffled(leased) : leased;
      }),
  };
}
