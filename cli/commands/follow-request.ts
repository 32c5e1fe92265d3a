import type { PopProgress, Progress } from '../../core/report/progress.ts';
import { isEnded } from '../../core/request/request.ts';
import type { ProgressAnswer } from '../../client/api-answers.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { ApiError } from '../../client/api-error.ts';
import { readRemoteFailures } from '../print/remote-failures.ts';
import { pause, retryPassing } from '../../client/retry-passing.ts';
import type { RunOutput } from '../print/run-output.ts';
import { exitCodeOf, type SuccessRule } from '../options/success-rule.ts';

export interface FollowContext {
  readonly client: ApiClient;
  readonly output: RunOutput;
  readonly signal: AbortSignal;
  /** Repeats `--endpoint` in commands that are named to the user. */
  readonly endpointHint: string;
  readonly success: SuccessRule;
}

/** Small requests end at once; a function behind a gateway is billed for every look. */
const FIRST_LOOK_MS = 200;
const LOOK_EVERY_MS = 1000;
const SLOWER = 1.25;
/** A server that is replaced or restarted is back by then. */
const LOST_AFTER_MS = 5 * 60_000;

/** Milliseconds since the epoch of the API's UTC timestamps. */
const timeOf = (timestamp: string) => Date.parse(`${timestamp.replace(' ', 'T')}Z`);

/** Milliseconds from the request's making to its last change. */
export function elapsedOf({ created_at: created, last_update_time: updated }: Progress): number {
  const ms = timeOf(updated) - timeOf(created);
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** The progress alone, and the rows of its POPs. */
export function splitPops({ pops = [], ...progress }: ProgressAnswer): { progress: Progress; pops: readonly PopProgress[] } {
  // A server of an earlier version does not tell how many were asked for: all that take part, and those that were left out.
  const chosen = Math.max(progress.chosen_pop_count, pops.length + progress.skipped_pops.length);
  return { progress: { ...progress, chosen_pop_count: chosen }, pops };
}

/**
 * Shows the request's progress until it has ended, then its end. Resolves to the exit code. Bears a server that is away
 * for up to five minutes; throws ApiError otherwise.
 */
export async function followRequest(requestId: string, context: FollowContext): Promise<number> {
  const { client, output, signal, endpointHint, success } = context;
  let isAway = false;
  const look = async (pops: boolean): Promise<ProgressAnswer> => {
    const answer = await retryPassing(() => client.progress(requestId, { pops }), {
      forMs: LOST_AFTER_MS,
      signal,
      onPause: (error) => {
        isAway = true;
        output.note(`${error.message}; trying again`);
      },
    });
    if (isAway) output.note('the API answers again');
    isAway = false;
    return answer;
  };
  let wait = FIRST_LOOK_MS;
  for (;;) {
    const progress = await look(false);
    if (isEnded(progress.status)) break;
    output.progress(progress);
    await pause(wait, signal);
    wait = Math.min(LOOK_EVERY_MS, wait * SLOWER);
  }
  const { progress, pops } = splitPops(await look(true));
  const failures = await readRemoteFailures(progress, { client, signal, endpointHint, note: (text) => output.note(text) });
  await output.end({ progress, pops, elapsedMs: elapsedOf(progress), failures });
  return exitCodeOf(progress, success);
}

/** Follows a request that is known to be there: whatever goes wrong now is no fault of the input, and the request may go on. */
export async function followAccepted(requestId: string, context: FollowContext): Promise<number> {
  try {
    return await followRequest(requestId, context);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError('api_failed', `${error.message}; request ${requestId} may go on: prewarm status ${requestId} --wait`, {
      cause: error,
    });
  }
}

/** What to do about a request that goes on without this command. */
export function howToGoOn(requestId: string, endpointHint: string): string {
  return `request ${requestId} goes on; follow it: prewarm status ${requestId} --wait${endpointHint}; end it: prewarm cancel ${requestId}${endpointHint}`;
}
