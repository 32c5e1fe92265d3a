import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeadLetters, Leased, Queue } from '../../../core/ports/queue.ts';
import { MOST_RECEIVES } from '../../../core/work/task.ts';

export interface Note {
  readonly requestId: string;
  readonly number: number;
}

export interface QueueUnderTest {
  /** Lease 60 s, `MOST_RECEIVES` receives. */
  readonly queue: Queue<Note>;
  /** Its dead letters, held for 60 s too. */
  readonly dead: DeadLetters<Note>;
  /** Lets time pass as the queue sees it. */
  readonly pass: (ms: number) => Promise<void>;
  readonly dispose?: () => void | Promise<void>;
}

const LEASE_MS = 60_000;
const notes = (requestId: string, count: number): Note[] => Array.from({ length: count }, (_, number) => ({ requestId, number }));
const name = ({ message }: Leased<Note>) => `${message.requestId}${message.number}`;

export interface QueueTraits {
  /** Whether requests take turns from the first message on; SQS sees to it only once one has many messages leased. */
  readonly takesTurns: boolean;
}

/** What every queue does: at least once, leases, dead letters. */
export function describeQueue(title: string, create: () => QueueUnderTest | Promise<QueueUnderTest>, traits: QueueTraits): void {
  describe(`${title} as a queue`, () => {
    let under: QueueUnderTest;
    let queue: Queue<Note>;

    beforeEach(async () => {
      under = await create();
      queue = under.queue;
    });
    afterEach(() => under.dispose?.());

    const one = async (): Promise<Leased<Note>> => {
      const [leased] = await queue.receive(1, 0);
      if (leased === undefined) throw new Error('nothing was available');
      return leased;
    };
    const drain = async () => {
      const seen: string[] = [];
      for (let batch = await queue.receive(10, 0); batch.length > 0; batch = await queue.receive(10, 0)) {
        for (const leased of batch) {
          seen.push(name(leased));
          await queue.delete(leased.receipt);
        }
      }
      return seen;
    };

    it('a queue delivers every message sent, whole, at most `max` at a time', async () => {
      await queue.send(notes('a', 25));
      expect((await queue.receive(10, 0)).length).toBeLessThanOrEqual(10);
      await under.pass(LEASE_MS + 1000);
      expect((await drain()).sort()).toEqual(
        notes('a', 25)
          .map(({ number }) => `a${number}`)
          .sort(),
      );
      expect(await queue.receive(10, 0)).toEqual([]);
    });

    it('a queue holds a received message until its lease ends, then delivers it again with its count', async () => {
      await queue.send(notes('a', 1));
      const first = await one();
      expect(first.receiveCount).toBe(1);
      await under.pass(LEASE_MS - 1000);
      expect(await queue.receive(1, 0)).toEqual([]);
      await under.pass(2000);
      const second = await one();
      expect(second.receiveCount).toBe(2);
      expect(second.receipt).not.toBe(first.receipt);
    });

    it('a queue extends a lease from now on, also to nothing', async () => {
      await queue.send(notes('a', 1));
      const { receipt } = await one();
      await under.pass(LEASE_MS - 1000);
      expect(await queue.extend(receipt, LEASE_MS)).toBe(true);
      await under.pass(LEASE_MS - 1000);
      expect(await queue.receive(1, 0)).toEqual([]);
      expect(await queue.extend(receipt, 0)).toBe(true);
      expect((await one()).receiveCount).toBe(2);
    });

    it('a queue does not extend a lease that was lost', async () => {
      await queue.send(notes('a', 1));
      const { receipt } = await one();
      await under.pass(LEASE_MS + 1000);
      expect(await queue.extend(receipt, LEASE_MS)).toBe(false);
      await one();
      expect(await queue.extend(receipt, LEASE_MS)).toBe(false);
    });

    it('a queue keeps a message whose newer lease an old receipt tries to end', async () => {
      await queue.send(notes('a', 1));
      const old = await one();
      await under.pass(LEASE_MS + 1000);
      const newer = await one();
      await queue.delete(old.receipt);
      expect(await queue.extend(newer.receipt, LEASE_MS)).toBe(true);
      await queue.delete(newer.receipt);
      await under.pass(LEASE_MS + 1000);
      expect(await queue.receive(1, 0)).toEqual([]);
    });

    it('a queue delivers a delayed message when its delay is over', async () => {
      await queue.send(notes('a', 1), 5000);
      expect(await queue.receive(1, 0)).toEqual([]);
      await under.pass(6000);
      expect(name(await one())).toBe('a0');
    });

    it('a queue gives a message that was received four times to the dead letters instead of a further receiver, and keeps it there until it is deleted', async () => {
      await queue.send(notes('a', 1));
      for (let receive = 1; receive <= MOST_RECEIVES; receive++) {
        expect((await one()).receiveCount).toBe(receive);
        expect(await under.dead.receiveDead(1)).toEqual([]);
        await under.pass(LEASE_MS + 1000);
      }
      expect(await queue.receive(1, 0)).toEqual([]);
      const [dead] = await under.dead.receiveDead(1);
      expect(dead?.message).toEqual({ requestId: 'a', number: 0 });
      expect(await under.dead.receiveDead(1)).toEqual([]);
      await under.pass(LEASE_MS + 1000);
      const [again] = await under.dead.receiveDead(1);
      await under.dead.deleteDead(again?.receipt ?? '');
      await under.pass(LEASE_MS + 1000);
      expect(await under.dead.receiveDead(1)).toEqual([]);
    });

    it('a queue counts what is available and what is leased', async () => {
      await queue.send(notes('a', 5));
      await queue.send(notes('b', 1), 5000);
      await queue.receive(2, 0);
      expect(await queue.counts()).toEqual({ available: 3, leased: 2 });
    });

    it.runIf(traits.takesTurns)(
      'a queue does not let a later request wait for the whole of a big one, nor the big one for it',
      async () => {
        await queue.send(notes('a', 40));
        for (let done = 0; done < 10; done++) await queue.delete((await one()).receipt);
        await queue.send(notes('b', 20));
        const next = (await drain()).slice(0, 20);
        expect(next.filter((each) => each.startsWith('b')).length).toBeGreaterThanOrEqual(5);
        expect(next.filter((each) => each.startsWith('a')).length).toBeGreaterThanOrEqual(5);
      },
    );
  });
}
