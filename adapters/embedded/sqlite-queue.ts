import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { DeadLetters, Leased, Queue } from '../../core/ports/queue.ts';
import { MOST_RECEIVES } from '../../core/work/task.ts';
import type { Database } from './database.ts';
import { isDeadHolder, ownHolder } from './holder.ts';

/** Messages sent in one transaction: longer ones would keep the agents from the write lock. */
const SEND_BATCH = 500;

export interface SqliteQueueOptions<T> {
  /** How long a received message is held. */
  readonly leaseMs?: number;
  /** Receives until a message goes to the dead letters. */
  readonly maxReceives?: number;
  /** Names this process in its leases: `createHolder()`. */
  readonly holder: string;
  /** Messages with the same key share one turn; the default gives all of them the same. */
  readonly fairKey?: (message: T) => string;
  /** Pause between two looks at an empty queue. */
  readonly pollMs?: number;
}

export interface SqliteQueue<T> extends Queue<T>, DeadLetters<T> {
  /** As in the port; an aborted signal ends the wait at once, with whatever is there. */
  receive(max: number, waitMs: number, signal?: AbortSignal): Promise<readonly Leased<T>[]>;
  /** Makes a dead holder's messages available at once, receive counts kept. Returns how many. */
  freeLeases(holder: string): Promise<number>;
  /** The same for every holder of a process that has ended. */
  freeLeasesOf(pid: number): Promise<number>;
  /** The same for every holder whose process is no longer there. */
  freeDeadLeases(): Promise<number>;
  /** Ends every wait; the database stays open. */
  close(): void;
}

interface Candidate {
  id: number;
  body: string;
  receive_count: number;
}

/**
 * A queue in a table, for several processes. Fair between keys: a message's rank is its place among those of its key,
 * counted from where the queue is being served, and the lowest rank is received first.
 */
export function createSqliteQueue<T>(db: Database, name: string, clock: Clock, options: SqliteQueueOptions<T>): SqliteQueue<T> {
  const { leaseMs = 120_000, maxReceives = MOST_RECEIVES, holder, fairKey = () => '', pollMs = 10 } = options;
  ownHolder(holder);
  const deadName = `${name}.dead`;
  const pauses = createPauses(clock);
  const lease = (queue: string, max: number, limit: number) =>
    leaseMessages<T>(db, { queue, deadName, max, limit, holder, now: clock.now(), leaseMs });
  const remove = async (receipt: string) => {
    db.run('DELETE FROM messages WHERE id = ? AND receipt = ?', idOf(receipt), receipt);
  };
  return {
    send: async (messages, delayMs = 0) => {
      for (let at = 0; at < messages.length; at += SEND_BATCH) {
        db.transaction(() => insertMessages(db, name, messages.slice(at, at + SEND_BATCH), fairKey, clock.now(), delayMs));
      }
    },
    receive: async (max, waitMs, signal) => {
      // Waited time is summed, not read off the clock, which may jump.
      for (let waited = 0; ; waited += pollMs) {
        const leased = lease(name, max, maxReceives);
        if (leased.length > 0 || waited >= waitMs || pauses.closed || signal?.aborted) return leased;
        await pauses.pause(Math.min(pollMs, waitMs - waited), signal);
      }
    },
    extend: async (receipt, extendMs) => {
      const now = clock.now();
      const sql = 'UPDATE messages SET available_at = ? WHERE id = ? AND receipt = ? AND available_at > ?';
      return db.run(sql, now + extendMs, idOf(receipt), receipt, now) === 1;
    },
    delete: remove,
    receiveDead: async (max) => lease(deadName, max, Number.POSITIVE_INFINITY),
    deleteDead: remove,
    counts: async () => countMessages(db, name, clock.now()),
    freeLeases: async (dead) => freeHolder(db, [name, deadName], dead),
    freeLeasesOf: async (pid) => {
      const holders = listHolders(db, [name, deadName]).filter((candidate) => candidate.startsWith(`${pid}-`));
      return freeHolders(db, [name, deadName], holders);
    },
    freeDeadLeases: async () => freeHolders(db, [name, deadName], listHolders(db, [name, deadName]).filter(isDeadHolder)),
    close: pauses.close,
  };
}

/** A receipt is `<id>-<random>`: an old one opens no newer lease, and the id finds the row without an index. */
function idOf(receipt: string): number {
  const id = Number(receipt.slice(0, receipt.indexOf('-')));
  return Number.isNaN(id) ? -1 : id;
}

function leaseMessages<T>(
  db: Database,
  want: { queue: string; deadName: string; max: number; limit: number; holder: string; now: number; leaseMs: number },
): Leased<T>[] {
  const { queue, deadName, max, limit, holder, now, leaseMs } = want;
  const waiting = `SELECT id, body, receive_count FROM messages WHERE queue = ? AND available_at <= ?
    ORDER BY rank, available_at, id LIMIT ?`;
  // A look without the write lock first: idle agents poll many times a second.
  if (db.get(waiting, queue, now, 1) === undefined) return [];
  return db.transaction(() => {
    for (;;) {
      const candidates = db.all<Candidate>(waiting, queue, now, max);
      const leased: Leased<T>[] = [];
      for (const { id, body, receive_count: received } of candidates) {
        if (received >= limit) {
          db.run('UPDATE messages SET queue = ?, available_at = ?, receipt = NULL, holder = NULL WHERE id = ?', deadName, now, id);
          continue;
        }
        const receipt = `${id}-${randomBytes(12).toString('base64url')}`;
        db.run(
          'UPDATE messages SET receive_count = receive_count + 1, available_at = ?, receipt = ?, holder = ? WHERE id = ?',
          now + leaseMs,
          receipt,
          holder,
          id,
        );
        leased.push({ message: JSON.parse(body) as T, receiveCount: received + 1, receipt });
      }
      if (leased.length > 0 || candidates.length === 0) return leased;
    }
  });
}

function insertMessages<T>(
  db: Database,
  queue: string,
  messages: readonly T[],
  fairKey: (message: T) => string,
  now: number,
  delayMs: number,
): void {
  const ranks = new Map<string, number>();
  const served = servedRank(db, queue, now);
  for (const message of messages) {
    const key = fairKey(message);
    const rank = ranks.get(key) ?? nextRank(db, queue, key) ?? served;
    ranks.set(key, rank + 1);
    db.run(
      'INSERT INTO messages (queue, fair_key, rank, available_at, body) VALUES (?, ?, ?, ?, ?)',
      queue,
      key,
      rank,
      now + delayMs,
      JSON.stringify(message),
    );
  }
}

/** The rank the queue is at: a key that comes new starts there, neither ahead of the others nor behind their backlog. */
function servedRank(db: Database, queue: string, now: number): number {
  const next = db.get<{ rank: number }>(
    'SELECT rank FROM messages WHERE queue = ? AND available_at <= ? ORDER BY rank LIMIT 1',
    queue,
    now,
  );
  return next?.rank ?? db.get<{ rank: number | null }>('SELECT max(rank) AS rank FROM messages WHERE queue = ?', queue)?.rank ?? 0;
}

function nextRank(db: Database, queue: string, key: string): number | undefined {
  const last = db.get<{ rank: number | null }>('SELECT max(rank) AS rank FROM messages WHERE queue = ? AND fair_key = ?', queue, key)?.rank;
  return last === null || last === undefined ? undefined : last + 1;
}

function countMessages(db: Database, queue: string, now: number): { available: number; leased: number } {
  const sql = (where: string) => `SELECT count(*) AS count FROM messages WHERE queue = ? AND ${where}`;
  const count = (where: string) => db.get<{ count: number }>(sql(where), queue, now)?.count ?? 0;
  return { available: count('available_at <= ?'), leased: count('holder IS NOT NULL AND available_at > ?') };
}

function listHolders(db: Database, queues: readonly string[]): string[] {
  const sql = 'SELECT DISTINCT holder FROM messages WHERE holder IS NOT NULL AND queue IN (SELECT value FROM json_each(?))';
  return db.all<{ holder: string }>(sql, JSON.stringify(queues)).map((row) => row.holder);
}

function freeHolders(db: Database, queues: readonly string[], holders: readonly string[]): number {
  return holders.reduce((freed, holder) => freed + freeHolder(db, queues, holder), 0);
}

function freeHolder(db: Database, queues: readonly string[], holder: string): number {
  const sql = `UPDATE messages SET available_at = 0, receipt = NULL, holder = NULL
    WHERE holder = ? AND queue IN (SELECT value FROM json_each(?))`;
  return db.run(sql, holder, JSON.stringify(queues));
}

/** Short sleeps that a signal or `close` ends early. */
function createPauses(clock: Clock) {
  const wakes = new Set<() => void>();
  const pauses = {
    closed: false,
    pause: (ms: number, signal: AbortSignal | undefined) =>
      new Promise<void>((resolve) => {
        const wake = () => {
          cancel();
          wakes.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const cancel = clock.after(ms, wake);
        wakes.add(wake);
        signal?.addEventListener('abort', wake);
      }),
    close: () => {
      pauses.closed = true;
      for (const wake of wakes) wake();
    },
  };
  return pauses;
}
