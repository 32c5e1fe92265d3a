import { randomUUID } from 'node:crypto';
import { createApiClient } from '../../client/api-client.ts';
import type { RawOptions } from '../options/flags.ts';
import { followAccepted, howToGoOn } from './follow-request.ts';
import { retryPassing } from '../../client/retry-passing.ts';
import { createRunOutput } from '../print/run-output.ts';
import { wrapAt, wrapNote } from '../print/screen.ts';
import { readSubmitBody } from '../options/submit-body.ts';
import { parseSubmitOptions } from '../options/submit-options.ts';
import { describeTaken } from '../options/take-list.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const SUCCESS = 0;
const RETRY_FOR_MS = 30_000;

const say = (text: string) => process.stderr.write(`${wrapNote(text, wrapAt(process.stderr))}\n`);

/** `prewarm submit`: hands a list to the API. Returns the exit code; throws InvalidInput when nothing was sent, and ApiError. */
export async function submit(file: string | undefined, raw: RawOptions): Promise<number> {
  const options = parseSubmitOptions(file, raw, process.env);
  let left = 'interrupted; nothing was sent';
  const work = async (signal: AbortSignal): Promise<number> => {
    const client = createApiClient(options, signal);
    const { body, taken } = await readSubmitBody(options, signal);
    for (const text of describeTaken(taken)) say(text);
    // One key for all tries: one whose answer was lost may have been taken.
    const idempotencyKey = randomUUID();
    left = `interrupted while the list was being sent; see whether it was taken: prewarm requests${options.endpointHint}`;
    const accepted = await retryPassing(() => client.submit(body, idempotencyKey), {
      forMs: RETRY_FOR_MS,
      signal,
      mayRetry: (error) => !error.isUnsent,
      onPause: (error) => say(`${error.message}; sending it again, which starts nothing twice`),
    });
    const { request_id: id, timeout_at: timeoutAt } = accepted;
    left = howToGoOn(id, options.endpointHint);
    // What was refused has no POPs.
    for (const text of options.places) say(text);
    if (options.wait) {
      say(`request ${id}`);
      const output = createRunOutput(options);
      try {
        return await followAccepted(id, { client, output, signal, endpointHint: options.endpointHint, success: options.success });
      } finally {
        output.close();
      }
    }
    process.stdout.write(`${options.json ? JSON.stringify(accepted) : id}\n`);
    if (!options.json) {
      const until = timeoutAt === null ? '' : `it ends by ${timeoutAt.slice(0, 19)} UTC at the latest; `;
      say(`${until}follow it: prewarm status ${id} --wait${options.endpointHint}`);
    }
    return SUCCESS;
  };
  return untilInterrupted(work, () => say(left));
}
