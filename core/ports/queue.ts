/** A message held by one receiver until its lease ends. */
export interface Leased<T> {
  readonly message: T;
  /** How often it has been received, this time included. */
  readonly receiveCount: number;
  readonly receipt: string;
}

export interface QueueCounts {
  readonly available: number;
  readonly leased: number;
}

/**
 * At-least-once delivery: a message may come twice, late, or out of order. One whose receive count is used up
 * (`MOST_RECEIVES`) goes to the dead letters instead of a further receiver.
 */
export interface Queue<T> {
  /** All or, by throwing, an unknown part of them: the caller sends all again. */
  send(messages: readonly T[], delayMs?: number): Promise<void>;
  /**
   * Up to `max` messages (10 in SQS), waiting at most `waitMs` for the first. An aborted signal ends the wait, with whatever is
   * there: at once, or with the answer to what has been asked already, where breaking that off could lose a message.
   */
  receive(max: number, waitMs: number, signal?: AbortSignal): Promise<readonly Leased<T>[]>;
  /** Holds the message for `leaseMs` from now on; false when the lease was lost meanwhile. */
  extend(receipt: string, leaseMs: number): Promise<boolean>;
  delete(receipt: string): Promise<void>;
  /** Of the whole queue; approximate in SQS. */
  counts(): Promise<QueueCounts>;
}

/** The dead letters of a queue, for whoever records them. In AWS they are a queue of their own, which wakes a function. */
export interface DeadLetters<T> {
  receiveDead(max: number): Promise<readonly Leased<T>[]>;
  deleteDead(receipt: string): Promise<void>;
}
