import type { EdgeAddress } from '../pops/address.ts';
import { pauseIn } from '../ask-scope.ts';
import type { Clock } from '../clock.ts';
import type { Reason } from './outcome.ts';
import { pauseAfterRefusal } from './patience.ts';
import type { Answer, AskScope } from '../ports/downloader.ts';
import { forbidsStoring, type JudgeContext, judge, judgeByte, type Verdict } from './judge.ts';
import type { SeparateCaches } from './separate-caches.ts';
import type { Target } from './target.ts';

/** Objects up to this size are checked by reading them whole, larger ones by one byte. */
const WHOLE_CHECK_BYTES = 64 * 1024;
const MAX_CHECKS = 4;
const MIN_ATTEMPTS = 3;
const MAX_ATTEMPTS = 8;
/** Before each check, milliseconds: at most POPs the second request is a hit, at some the third. */
const CHECK_PAUSES_MS = [0, 150, 600, 2000] as const;
const RETRY_PAUSES_MS = [0, 100, 400, 1000, 1000, 1000, 1000] as const;

/** How long to wait before the next ask. `pauses` hold where the last answer was no refusal. One that said when to ask again holds the lane. */
function pauseAfter(target: Target, pauses: readonly number[], turn: number): number {
  if (target.refusals === 0) return pauses[turn] ?? 0;
  return target.isToldWhen ? 0 : pauseAfterRefusal(target.refusals);
}

/** What warming one target needs: its POP's addresses, how to judge, and a way to ask that keeps to the POP's limit. */
export interface WarmContext extends JudgeContext {
  readonly addresses: readonly EdgeAddress[];
  /** Asked where none of `addresses` can be reached. Absent: there are none. */
  readonly lastResort?: readonly EdgeAddress[];
  readonly separate: SeparateCaches;
  readonly scope: AskScope;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Sends a GET for the target when the POP's limit allows. `byteAt` asks for that byte only. */
  ask(target: Target, address: EdgeAddress, byteAt?: number): Promise<Answer>;
}

const addressAt = (context: WarmContext, index: number): EdgeAddress => {
  const address = context.addresses[index % context.addresses.length];
  if (address === undefined) throw new Error('a task without addresses reached an agent');
  return address;
};

/** A whole GET at one address. Finishes nothing. */
async function askWhole(context: WarmContext, target: Target, index: number): Promise<Verdict> {
  const address = addressAt(context, index);
  const answer = await context.ask(target, address);
  target.noteAnswer(answer, address, true);
  return judgeWhole(context, target, index, answer);
}

function judgeWhole(context: WarmContext, target: Target, index: number, answer: Answer): Verdict {
  const verdict = judge(answer, context);
  if (verdict.kind === 'hit' || verdict.kind === 'miss' || verdict.kind === 'accepted') {
    target.noteWhole(index, answer, verdict.kind === 'hit');
    target.noteVerdict(verdict);
  } else if (answer.status > 0) {
    // Whatever a later try finds in the cache, this one may have brought it there.
    target.broughtIn = true;
  }
  return verdict;
}

/** One byte at a random offset of what was read `whole`; a 200 instead was read to its end and counts as a whole GET. */
async function askByte(context: WarmContext, target: Target, index: number, whole: Answer): Promise<Verdict> {
  const address = addressAt(context, index);
  const answer = await context.ask(target, address, Math.floor(context.random() * whole.bodyBytes));
  const isWhole = answer.error === null && answer.status !== 206 && answer.status !== 416;
  target.noteAnswer(answer, address, isWhole);
  if (isWhole) return judgeWhole(context, target, index, answer);
  const verdict = judgeByte(answer, context, whole);
  if (verdict.kind === 'undecided') target.rangesDiffer = true;
  if (verdict.kind !== 'hit') return verdict;
  target.noteByteHit(index, answer);
  target.noteVerdict(verdict);
  return verdict;
}

function check(context: WarmContext, target: Target, index: number): Promise<Verdict> {
  const { whole } = target;
  const byByte = whole !== null && whole.bodyBytes > WHOLE_CHECK_BYTES && !target.rangesDiffer;
  return byByte ? askByte(context, target, index, whole) : askWhole(context, target, index);
}

/** The first whole GET, tried again after faults that another try may mend, `indexAt(n)` saying where the nth try goes. */
async function askUntilAnswered(
  context: WarmContext,
  target: Target,
  tries: number,
  indexAt: (attempt: number) => number,
): Promise<{ verdict: Verdict; index: number }> {
  for (let attempt = 0; ; attempt++) {
    const index = indexAt(attempt);
    const verdict = await askWhole(context, target, index);
    if (verdict.kind !== 'failed' || !verdict.retry || attempt + 1 >= tries) return { verdict, index };
    await pauseIn(context.scope, context.clock, pauseAfter(target, RETRY_PAUSES_MS, attempt));
    if (context.scope.cancelled) return { verdict, index };
  }
}

/** `accepted`: done, though no answer tells that a cache holds it. */
type Proof = { readonly kind: 'hit' | 'accepted' | 'cancelled' } | { readonly kind: 'failed'; readonly reason: Reason };

/**
 * Checks after a miss until a hit: at most 4, pausing a little longer each time, fewer when the object forbids storing. Where ranges
 * speak of another object, one whole GET at that address decides. If it misses where the first whole GET had not been, a second
 * one goes back there, since only that tells separate caches from an object that is not cached.
 * `missedAt` is told of every address that missed although a whole GET had ended elsewhere.
 */
async function checkUntilHit(
  context: WarmContext,
  target: Target,
  indexAt: (check: number) => number,
  missedAt: (index: number) => void,
): Promise<Proof> {
  let reason: Reason = 'not_cached';
  const wholeMissesAt: number[] = [];
  let turn = 0;
  for (let checks = 0, last = MAX_CHECKS; checks < last; checks++) {
    await pauseIn(context.scope, context.clock, pauseAfter(target, CHECK_PAUSES_MS, checks));
    if (context.scope.cancelled) return { kind: 'cancelled' };
    const index = indexAt(turn);
    const verdict = await check(context, target, index);
    if (verdict.kind === 'cancelled') return { kind: 'cancelled' };
    if (verdict.kind === 'hit' || verdict.kind === 'accepted') return { kind: verdict.kind };
    if (verdict.kind === 'failed' && !verdict.retry) return { kind: 'failed', reason: verdict.reason || 'not_cached' };
    reason = verdict.kind === 'failed' ? verdict.reason || 'not_cached' : 'not_cached';
    if (verdict.kind === 'miss') missedAt(index);
    if (verdict.kind === 'undecided') {
      last = Math.max(last, checks + 2);
      continue;
    }
    turn++;
    if (verdict.kind === 'miss' && target.rangesDiffer) {
      wholeMissesAt.push(index);
      if (wholeMissesAt.length > 1 || wholeMissesAt.includes(indexAt(turn))) break;
    }
    if (verdict.kind !== 'failed' && forbidsStoring(target.last?.cacheControl ?? '')) break;
  }
  return { kind: 'failed', reason };
}

function finish(context: WarmContext, target: Target, proof: Proof): void {
  if (proof.kind === 'hit' || proof.kind === 'accepted') target.finishWarm(context.clock, proof.kind === 'hit');
  else if (proof.kind === 'failed') target.finish(context.clock, 'failed', proof.reason);
}

/** Where the caches of a POP's addresses are taken to be one: a hit anywhere is a hit everywhere. */
async function warmShared(context: WarmContext, target: Target, ordinal: number): Promise<void> {
  const size = context.addresses.length;
  const first = ordinal % size;
  const tries = Math.min(MAX_ATTEMPTS, Math.max(MIN_ATTEMPTS, size));
  const { verdict, index } = await askUntilAnswered(context, target, tries, (attempt) => (first + attempt) % size);
  if (verdict.kind === 'cancelled') return;
  if (verdict.kind === 'failed') return target.finish(context.clock, 'failed', verdict.reason || 'connection');
  if (verdict.kind === 'hit') return target.finishWarm(context.clock, true);
  if (verdict.kind === 'accepted') return target.finishWarm(context.clock, false);
  // Every second check goes back to where the whole GET ended: a hit there after a miss elsewhere tells that the caches are separate.
  const away = (n: number) => (size === 1 ? index : (index + 1 + (n % (size - 1))) % size);
  let missedElsewhere = false;
  const proof = await checkUntilHit(
    context,
    target,
    (n) => (n % 2 === 0 ? away(n / 2) : index),
    (missed) => {
      missedElsewhere ||= missed !== index;
    },
  );
  if (proof.kind === 'hit' && missedElsewhere) context.separate.found();
  finish(context, target, proof);
}

/** Warms and checks one address by itself. */
async function warmAddress(context: WarmContext, target: Target, index: number): Promise<Proof> {
  if (!target.hasWhole(index)) {
    const provenElsewhere = context.addresses.some((_, other) => other !== index && target.isProven(other));
    const { verdict } = await askUntilAnswered(context, target, MIN_ATTEMPTS, () => index);
    if (verdict.kind === 'miss' && provenElsewhere) context.separate.found();
    if (verdict.kind === 'cancelled') return { kind: 'cancelled' };
    if (verdict.kind === 'hit' || verdict.kind === 'accepted') return { kind: verdict.kind };
    if (verdict.kind === 'failed') return { kind: 'failed', reason: verdict.reason || 'connection' };
  }
  return checkUntilHit(
    context,
    target,
    () => index,
    () => {},
  );
}

const UNREACHABLE_REASONS: readonly Reason[] = ['connection', 'timeout', 'tls', 'address_refused'];

/** Warms and checks every address, one after another; one that stays unreachable is left out and named. */
async function warmEveryAddress(context: WarmContext, target: Target, ordinal: number): Promise<void> {
  target.wentEverywhere = true;
  const size = context.addresses.length;
  let lastReason: Reason = 'connection';
  let reached = 0;
  for (let step = 0; step < size; step++) {
    const index = (ordinal + step) % size;
    if (target.isProven(index)) {
      reached++;
      continue;
    }
    const proof = await warmAddress(context, target, index);
    if (proof.kind === 'cancelled') return;
    if (proof.kind !== 'failed') reached++;
    else if (UNREACHABLE_REASONS.includes(proof.reason) && !target.hasWhole(index)) {
      target.noteUnreachable(index);
      lastReason = proof.reason;
    } else return target.finish(context.clock, 'failed', proof.reason);
  }
  if (reached === 0) return target.finish(context.clock, 'failed', lastReason);
  const proven = context.addresses.every((_, index) => target.isProven(index) || target.isUnreachable(index));
  target.finishWarm(context.clock, proven);
}

/** Whether no address gave any answer, so that others may be tried: a whole or a part of a head would have been one. */
const isUnreached = (target: Target): boolean =>
  target.outcome === 'failed' &&
  (target.reason === 'connection' || target.reason === 'timeout' || target.reason === 'tls') &&
  !target.broughtIn;

/**
 * Downloads one target and proves that the POP's cache holds it; sets its outcome unless the scope was cancelled.
 * `ordinal` spreads first asks over the POP's addresses.
 */
export async function warmTarget(context: WarmContext, target: Target, ordinal: number): Promise<void> {
  const { addresses, lastResort = [], separate } = context;
  if (lastResort.length === 0) {
    await warmAtAddresses(context, target, ordinal);
    return;
  }
  if (!target.isAtLastResort) {
    if (!separate.needsLastResort) await warmAtAddresses(context, target, ordinal);
    if (!separate.needsLastResort && !isUnreached(target)) return;
    target.goToLastResort(addresses);
  }
  await warmAtAddresses({ ...context, addresses: lastResort }, target, ordinal);
  separate.needsLastResort = target.outcome !== null && !isUnreached(target);
}

async function warmAtAddresses(context: WarmContext, target: Target, ordinal: number): Promise<void> {
  // A single address is every address; tasks of one POP may have been given lists of different length.
  if (context.addresses.length === 1) target.wentEverywhere = true;
  const { addresses, separate } = context;
  const hasOthers = addresses.length > 1;
  const isProbe = hasOthers && !separate.isFound && separate.takeProbe();
  if (!isProbe && !(hasOthers && separate.isFound)) {
    await warmShared(context, target, ordinal);
    return;
  }
  await warmEveryAddress(context, target, ordinal);
  const comparedAll = target.outcome !== null && target.outcome !== 'failed' && !addresses.some((_, index) => target.isUnreachable(index));
  if (isProbe && !comparedAll) separate.giveProbeBack();
}

/** Whether a finished target must be gone through again because the POP's caches turned out to be separate meanwhile. */
export function needsEveryAddress(separate: SeparateCaches, target: Target): boolean {
  return separate.isFound && !target.wentEverywhere && (target.outcome !== 'failed' || target.reason === 'not_cached');
}
