/** Bytes that weigh as much as one more target when throughput is compared. */
const BYTES_PER_UNIT = 64 * 1024;
/** A window must beat the last one by this much for the limit to grow on. */
const BETTER = 1.15;
const WORSE = 0.85;
/** Windows without a try to grow after growing did not help. */
const HOLD_WINDOWS = 8;
/** Trouble in more than one of so many answers of a round is the POP's, not a single object's. */
const TROUBLED_SHARE = 8;

export interface LimitOptions {
  readonly start: number;
  readonly floor: number;
  readonly ceiling: number;
}

/**
 * How many downloads may be in flight at one POP, found by what throughput it brings: doubles while doubling pays, stays
 * where it does not, tries again from time to time, and halves when the POP or its origin is in trouble. A window lasts
 * two rounds of the limit, and only its second half is measured, when the connections stand.
 */
export class InFlightLimit {
  limit: number;
  readonly #options: LimitOptions;
  #finished = 0;
  #units = 0;
  #halfAt = 0;
  #lastRate = 0;
  #hold = 0;
  /** Answers that are still due from before the last halving. */
  #unsettled = 0;
  #answered = 0;
  #troubled = 0;

  constructor(options: LimitOptions) {
    this.#options = options;
    this.limit = options.start;
  }

  /** A download ended at `now` (ms). `saturated`: the limit was what kept more from starting. */
  ended(now: number, bytes: number, saturated: boolean): void {
    this.#count(false);
    if (!saturated) {
      this.#restart();
      return;
    }
    this.#finished++;
    if (this.#finished === this.limit) {
      this.#halfAt = now;
      this.#units = 0;
    }
    this.#units += 1 + bytes / BYTES_PER_UNIT;
    if (this.#finished >= 2 * this.limit && now > this.#halfAt) this.#judgeWindow(this.#units / (now - this.#halfAt));
  }

  /**
   * The POP refused, failed or did not answer in time. Halves once more than an eighth of a round of the limit is such trouble, again and
   * again while that lasts. What was in flight when it halved is answered before anything is counted anew.
   */
  trouble(): void {
    this.#count(true);
    if (this.#unsettled > 0 || this.#troubled <= this.limit / TROUBLED_SHARE) return;
    this.#unsettled = this.limit - 1;
    this.#troubled = 0;
    this.#answered = 0;
    this.#set(this.limit / 2);
    this.#hold = HOLD_WINDOWS + 1;
    this.#restart();
  }

  /** Answers of any kind, in rounds of the limit. */
  #count(isTrouble: boolean): void {
    if (this.#unsettled > 0) {
      this.#unsettled--;
      return;
    }
    if (this.#answered >= this.limit) {
      this.#answered = 0;
      this.#troubled = 0;
    }
    this.#answered++;
    if (isTrouble) this.#troubled++;
  }

  #judgeWindow(rate: number): void {
    if (this.#hold > 0) {
      this.#hold--;
      if (this.#hold === 0) this.#lastRate = rate / BETTER;
    } else if (rate >= this.#lastRate * BETTER) {
      this.#lastRate = rate;
      this.#set(this.limit * 2);
    } else {
      if (rate < this.#lastRate * WORSE) this.#set(this.limit / 2);
      this.#hold = HOLD_WINDOWS;
    }
    this.#restart();
  }

  #set(limit: number): void {
    this.limit = Math.max(this.#options.floor, Math.min(this.#options.ceiling, Math.round(limit)));
  }

  #restart(): void {
    this.#finished = 0;
    this.#units = 0;
  }
}
