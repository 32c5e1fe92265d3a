import { type EdgeAddress, formatAddress } from '../pops/address.ts';
import type { Clock } from '../clock.ts';
import type { Outcome, Reason } from './outcome.ts';
import { askedWaitMs, isRefusal } from './patience.ts';
import type { Answer } from '../ports/downloader.ts';
import type { Variant } from '../request/request.ts';
import { causeOf } from '../report/cause.ts';
import { causeNote } from '../report/result-row.ts';
import { bucketOf } from '../report/time-histogram.ts';
import type { Verdict } from './judge.ts';

/** How an address of the POP stands for one target. Bits, since a task holds hundreds of targets. */
const WHOLE = 1;
const HIT_WHOLE = 2;
const HIT_BYTE = 4;
const UNREACHABLE = 8;

/** What one target has been through in this try, and what its row will say. */
export class Target {
  readonly url: string;
  readonly variant: Variant;
  /** Sizing did not learn this URL's length, so what the GET learns is added to the total. */
  readonly sizeUnknown: boolean;
  outcome: Outcome | null = null;
  reason: Reason | '' = '';
  /** Some answer was no hit, or an attempt that had received headers failed: this run brought the object in. */
  broughtIn = false;
  near = false;
  revalidates = false;
  verified = false;
  attempts = 0;
  /** How many answers in a row refused for the moment (429, 503); the last one may have said when to ask again. */
  refusals = 0;
  isToldWhen = false;
  xCacheFirst = '';
  xCacheLast = '';
  firstTtfbMs = -1;
  hitTtfbMs = -1;
  /** The object's length, from a whole GET that ended; -1: none did. */
  bytes = -1;
  /** The last whole GET's. */
  last: Answer | null = null;
  lastAddress: EdgeAddress | null = null;
  finishedAt = 0;
  /** The last answer of any kind, from which a failed target's row tells what happened. */
  latest: Answer | null = null;
  /** A slot was taken for this target's next ask. */
  holdsSlot = false;
  /** A part spoke of another length, encoding or ETag than the whole object has: parts prove nothing of this target. */
  rangesDiffer = false;
  /** Every address of the POP has been gone through by itself. */
  wentEverywhere = false;
  #standing: number[] = [];
  /** Addresses that could not be reached, before it went to those of the last resort; null: it did not. */
  #given: readonly EdgeAddress[] | null = null;
  /** The last whole GET that brought the object, and where: what a warm target's row tells, whatever was tried in vain elsewhere. */
  #brought: { readonly answer: Answer; readonly address: EdgeAddress | null } | null = null;

  constructor(url: string, variant: Variant, sizeUnknown: boolean) {
    this.url = url;
    this.variant = variant;
    this.sizeUnknown = sizeUnknown;
  }

  /** Takes note of an answer, whatever it was. */
  noteAnswer(answer: Answer, address: EdgeAddress, isWhole: boolean): void {
    this.attempts++;
    this.latest = answer;
    this.refusals = isRefusal(answer) ? this.refusals + 1 : 0;
    this.isToldWhen = askedWaitMs(answer) > 0;
    if (this.firstTtfbMs < 0) this.firstTtfbMs = answer.ttfbMs;
    if (answer.xCache !== '') {
      if (this.xCacheFirst === '') this.xCacheFirst = answer.xCache;
      this.xCacheLast = answer.xCache;
    }
    if (!isWhole) return;
    this.last = answer;
    this.lastAddress = address;
  }

  /** A whole GET of an accepted answer ended at this address. */
  noteWhole(index: number, answer: Answer, isHit: boolean): void {
    this.bytes = answer.bodyBytes;
    this.#brought = { answer, address: this.lastAddress };
    this.#standing[index] = (this.#standing[index] ?? 0) | WHOLE | (isHit ? HIT_WHOLE : 0);
    if (isHit) this.hitTtfbMs = answer.ttfbMs;
    else this.broughtIn = true;
  }

  /** The last whole GET that brought the object; null: none did. */
  get whole(): Answer | null {
    return this.#brought?.answer ?? null;
  }

  noteVerdict({ near, revalidates }: Pick<Verdict, 'near' | 'revalidates'>): void {
    if (near) this.near = true;
    if (revalidates) this.revalidates = true;
  }

  noteByteHit(index: number, answer: Answer): void {
    this.#standing[index] = (this.#standing[index] ?? 0) | HIT_BYTE;
    this.hitTtfbMs = answer.ttfbMs;
  }

  noteUnreachable(index: number): void {
    this.#standing[index] = (this.#standing[index] ?? 0) | UNREACHABLE;
  }

  hasWhole(index: number): boolean {
    return ((this.#standing[index] ?? 0) & WHOLE) !== 0;
  }

  isUnreachable(index: number): boolean {
    return ((this.#standing[index] ?? 0) & UNREACHABLE) !== 0;
  }

  /** Whether this address by itself was seen to hold the whole object: a hit read to its end, or a byte of it after a whole GET there. */
  isProven(index: number): boolean {
    const standing = this.#standing[index] ?? 0;
    return (standing & HIT_WHOLE) !== 0 || (standing & (WHOLE | HIT_BYTE)) === (WHOLE | HIT_BYTE);
  }

  get isAtLastResort(): boolean {
    return this.#given !== null;
  }

  /** Gives up all addresses so far, none of which could be reached: what follows is at others. */
  goToLastResort(given: readonly EdgeAddress[]): void {
    this.#given = given;
    this.#standing = [];
    this.outcome = null;
    this.reason = '';
    this.refusals = 0;
    this.wentEverywhere = false;
  }

  finish(clock: Clock, outcome: Outcome, reason: Reason | ''): void {
    this.outcome = outcome;
    this.reason = reason;
    this.verified = false;
    this.finishedAt = clock.now();
  }

  finishWarm(clock: Clock, verified: boolean): void {
    this.finish(clock, this.broughtIn ? 'warmed' : 'already_warm', '');
    this.verified = verified;
    if (this.#brought === null) return;
    this.last = this.#brought.answer;
    this.lastAddress = this.#brought.address;
  }

  /** `addresses` are those that it was last worked at. */
  notes(addresses: readonly EdgeAddress[], isHttps: boolean): string {
    const notes: string[] = [];
    if (this.verified) notes.push('verified');
    if (this.near) notes.push('near');
    if (this.revalidates) notes.push('revalidates');
    const noteDead = ({ ip, port, httpPort }: EdgeAddress) => notes.push(`unreachable=${formatAddress(ip, isHttps ? port : httpPort)}`);
    for (const address of this.#given ?? []) noteDead(address);
    for (const [index, address] of addresses.entries()) if (this.isUnreachable(index)) noteDead(address);
    const cause = this.outcome === 'failed' ? causeOf(this.reason, this.latest, this.last) : '';
    if (cause !== '') notes.push(causeNote(cause));
    return notes.join(';');
  }

  /** Adds this target's figures to a task's counters. */
  countInto(counters: Record<string, number>): void {
    const add = (key: string, value: number) => {
      counters[key] = (counters[key] ?? 0) + value;
    };
    const outcome = this.outcome ?? 'failed';
    add(outcome, 1);
    add('attempts', this.attempts);
    if (outcome === 'failed') add(`reason.${this.reason}`, 1);
    else add('done_bytes', Math.max(0, this.bytes));
    if (this.sizeUnknown && this.bytes >= 0) add('learnt_bytes', this.bytes);
    if (this.verified) add('verified', 1);
    if (this.near && outcome !== 'failed') add('near', 1);
    if (this.firstTtfbMs >= 0) add(`first.${bucketOf(this.firstTtfbMs)}`, 1);
    if (this.hitTtfbMs >= 0 && outcome !== 'failed') add(`last.${bucketOf(this.hitTtfbMs)}`, 1);
  }
}
