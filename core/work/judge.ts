import type { Reason } from '../outcome.ts';
import type { Answer } from '../ports/downloader.ts';

/** What one answer says about its target. `accepted`: an accepted status whose caching `x-cache` does not tell (an error kept by accept_status). */
export interface Verdict {
  readonly kind: 'hit' | 'miss' | 'accepted' | 'failed' | 'cancelled';
  readonly reason: Reason | '';
  /** Another address or another try may answer better. */
  readonly retry: boolean;
  /** Answered by another POP of the same city. */
  readonly near: boolean;
  /** The edge asked the origin whether its copy is still good before it answered with it. */
  readonly revalidates: boolean;
}

const verdict = (kind: Verdict['kind'], near: boolean, revalidates = false): Verdict => ({
  kind,
  reason: '',
  retry: false,
  near,
  revalidates,
});

const HIT = verdict('hit', false);
const NEAR_HIT = verdict('hit', true);
const REFRESH_HIT = verdict('hit', false, true);
const NEAR_REFRESH_HIT = verdict('hit', true, true);
const MISS = verdict('miss', false);
const NEAR_MISS = verdict('miss', true);
const ACCEPTED = verdict('accepted', false);
const NEAR_ACCEPTED = verdict('accepted', true);
const CANCELLED = verdict('cancelled', false);

const failed = (reason: Reason, retry: boolean): Verdict => ({ kind: 'failed', reason, retry, near: false, revalidates: false });

export interface JudgeContext {
  readonly pop: string;
  /** Null: any 2xx. */
  readonly acceptStatus: readonly number[] | null;
}

function isAccepted(status: number, acceptStatus: readonly number[] | null): boolean {
  return acceptStatus === null ? status >= 200 && status < 300 : acceptStatus.includes(status);
}

/** The airport code of a POP's name: POPs that share it stand in the same city. */
const cityOf = (pop: string) => pop.slice(0, 3).toUpperCase();

function judgePop(servedBy: string, wanted: string): 'same' | 'near' | 'other' {
  if (servedBy === wanted || servedBy.toUpperCase() === wanted) return 'same';
  return servedBy.length >= 4 && cityOf(servedBy) === cityOf(wanted) ? 'near' : 'other';
}

/** Judges an answer by status, POP and `x-cache`, in that order. */
export function judge(answer: Answer, context: JudgeContext): Verdict {
  if (answer.error === 'cancelled') return CANCELLED;
  if (answer.error !== null) return failed(answer.error, answer.error !== 'address_refused');
  const { status, xCache } = answer;
  if (xCache.startsWith('LambdaGenerated') || xCache.startsWith('FunctionGenerated')) return failed('generated', false);
  if (!isAccepted(status, context.acceptStatus)) return failed(`status_${status}`, status === 429 || status >= 500);
  if (xCache === '') return failed('no_cache_header', false);
  const pop = judgePop(answer.servedBy, context.pop);
  if (pop === 'other') return failed('wrong_pop', false);
  const near = pop === 'near';
  if (xCache.startsWith('Hit')) return near ? NEAR_HIT : HIT;
  if (xCache.startsWith('RefreshHit')) return near ? NEAR_REFRESH_HIT : REFRESH_HIT;
  if (xCache.startsWith('Error')) return near ? NEAR_ACCEPTED : ACCEPTED;
  return near ? NEAR_MISS : MISS;
}

/** Whether the answer's own headers forbid a shared cache to store it. A hit outweighs them: a minimum TTL may store what they forbid. */
export function forbidsStoring(cacheControl: string): boolean {
  return cacheControl !== '' && /(?:^|[\s,])(?:no-store|private|no-cache|(?:s-maxage|max-age)=0*(?![\d]))/i.test(cacheControl);
}

/** Whether a one-byte answer speaks of the same object as a whole read: a 206 with equal length, ETag and encoding. */
export function isSameObject(byteAnswer: Answer, whole: Pick<Answer, 'etag' | 'contentEncoding'>, wholeBytes: number): boolean {
  return (
    byteAnswer.status === 206 &&
    byteAnswer.rangeTotal === wholeBytes &&
    byteAnswer.etag === whole.etag &&
    byteAnswer.contentEncoding === whole.contentEncoding
  );
}
