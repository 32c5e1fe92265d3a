import type { Reason } from './outcome.ts';
import type { Answer } from '../ports/downloader.ts';
import type { ServedBy } from '../pops/served-by.ts';
import { readXCache, type XCache } from './x-cache.ts';

/**
 * What one answer says about its target. `accepted`: an accepted status whose caching `x-cache` does not tell (an error kept by
 * accept_status). `undecided`: a part of something else than what was read whole.
 */
export interface Verdict {
  readonly kind: 'hit' | 'miss' | 'accepted' | 'undecided' | 'failed' | 'cancelled';
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
const UNDECIDED = verdict('undecided', false);
const CANCELLED = verdict('cancelled', false);

const failed = (reason: Reason, retry: boolean): Verdict => ({ kind: 'failed', reason, retry, near: false, revalidates: false });

const CHALLENGED = failed('challenged', false);

export interface JudgeContext {
  /** Where the answer came from, by its `x-amz-cf-pop`. */
  readonly servedBy: (header: string) => ServedBy;
  /** Null: any 2xx. */
  readonly acceptStatus: readonly number[] | null;
}

const isSuccess = (status: number) => status >= 200 && status < 300;

/** Why the status, or the kind of the answer, keeps the target from being done; null: it does not. */
function refusalOf(status: number, xCache: XCache, acceptStatus: readonly number[] | null): Reason | null {
  if (xCache === 'generated') return 'generated';
  const isNamed = acceptStatus?.includes(status) ?? false;
  if (xCache === 'error' && isSuccess(status) && !isNamed) return 'error_page';
  return isNamed || (acceptStatus === null && isSuccess(status)) ? null : `status_${status}`;
}

/** Judges an answer that was read to its end. */
function judgeAnswer(answer: Answer, { servedBy }: JudgeContext, acceptStatus: readonly number[] | null): Verdict {
  const { status } = answer;
  const xCache = readXCache(answer.xCache);
  const refusal = refusalOf(status, xCache, acceptStatus);
  if (refusal !== null) return failed(refusal, status === 429 || status >= 500);
  if (xCache === 'none') return failed('no_cache_header', false);
  const from = servedBy(answer.servedBy);
  if (from === 'other') return failed('wrong_pop', false);
  const near = from === 'near';
  if (xCache === 'hit') return near ? NEAR_HIT : HIT;
  if (xCache === 'refresh_hit') return near ? NEAR_REFRESH_HIT : REFRESH_HIT;
  if (xCache === 'error') return near ? NEAR_ACCEPTED : ACCEPTED;
  // A word that nobody knows is no evidence of a hit; the checks that follow a miss find out.
  return near ? NEAR_MISS : MISS;
}

/** What an error or a challenge says, whatever was asked; null: neither came. */
function judgeFault({ error, wafAction }: Answer): Verdict | null {
  if (error === 'cancelled') return CANCELLED;
  // A challenge stands in front of the object, so nothing else in the answer speaks of it.
  if (wafAction !== undefined) return CHALLENGED;
  return error === null ? null : failed(error, error !== 'address_refused');
}

/** Judges the answer to a whole GET by challenge, status, POP and `x-cache`, in that order. */
export function judge(answer: Answer, context: JudgeContext): Verdict {
  const fault = judgeFault(answer);
  if (fault !== null) return fault;
  // Nobody asked for a part, and a part is not the object, whatever statuses the request accepts.
  if (answer.status === 206) return failed('status_206', false);
  return judgeAnswer(answer, context, context.acceptStatus);
}

/**
 * Judges a 206 or 416 in answer to one byte at an offset within `whole`, which was read in full before. It is `undecided` where the
 * answer speaks of another length, encoding or ETag: ranges of what is compressed on the fly do, and say nothing of the whole object.
 */
export function judgeByte(answer: Answer, context: JudgeContext, whole: Answer): Verdict {
  const fault = judgeFault(answer);
  if (fault !== null) return fault;
  if (answer.status === 416) return UNDECIDED;
  // A 206 is what was asked for, whatever statuses the request accepts.
  const verdict = judgeAnswer(answer, context, null);
  return verdict.kind === 'failed' || isSameObject(answer, whole) ? verdict : UNDECIDED;
}

/** Whether the answer's own headers forbid a shared cache to store it. A hit outweighs them: a minimum TTL may store what they forbid. */
export function forbidsStoring(cacheControl: string): boolean {
  return cacheControl !== '' && /(?:^|[\s,])(?:no-store|private|no-cache|(?:s-maxage|max-age)=0*(?![\d]))/i.test(cacheControl);
}

const encodingOf = ({ contentEncoding }: Answer): string => {
  if (contentEncoding === '') return '';
  const encoding = contentEncoding.trim().toLowerCase();
  return encoding === 'identity' ? '' : encoding;
};

/**
 * Whether a one-byte answer speaks of the object that was read whole: with equal length, encoding and ETag. ETags are compared as
 * texts, which keeps weak ones apart from strong ones. Where neither answer has an ETag, length and encoding decide.
 */
function isSameObject(byteAnswer: Answer, whole: Answer): boolean {
  return byteAnswer.rangeTotal === whole.bodyBytes && byteAnswer.etag === whole.etag && encodingOf(byteAnswer) === encodingOf(whole);
}
