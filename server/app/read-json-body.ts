import { setImmediate as letOthersIn } from 'node:timers/promises';
import pLimit from 'p-limit';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { finishInPieces, type Steps } from '../../core/steps.ts';
import { parseStrictJsonInSteps } from './strict-json.ts';
import { MAX_BODY_BYTES } from '../../core/request/request-body.ts';

/** The gateway's function payload ends at 6 MB, escapes included; the same limit everywhere. */
/** So much, for so long, is read of a body that is refused. */
const DISCARD_BYTES = 64 * 1024 * 1024;
const DISCARD_MS = 10_000;
const SILENCE_MS = 500;

function bodyTooLarge(): PrewarmError {
  return new PrewarmError('body_too_large', `body: has more than ${MAX_BODY_BYTES} bytes; split the list into several requests`);
}

/** Bodies that are looked at together: a large one takes twenty times its length while it is. */
const PARSED_AT_ONCE = 2;

/**
 * Reads the body as JSON whatever its Content-Type says, and what it means by `parse`. Throws PrewarmError `body_too_large`, or InvalidInput
 * when it is no JSON; what `parse` throws is thrown on.
 */
export type ReadBody = <T>(request: Request, parse: (body: unknown) => Steps<T>) => Promise<{ readonly body: unknown; readonly value: T }>;

/** Others are served between the pieces of a long body, and at most two bodies are in pieces at a time. */
export function createReadBody(): ReadBody {
  const limit = pLimit(PARSED_AT_ONCE);
  return async (request, parse) => {
    const bytes = await readBytes(request);
    return limit(async () => {
      const body = await finishInPieces(parseStrictJsonInSteps(decode(bytes)), letOthersIn);
      return { body, value: await finishInPieces(parse(body), letOthersIn) };
    });
  };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidInput([inputFault('body', '', 'is not UTF-8; write JSON in UTF-8')]);
  }
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** Never holds more than the limit, whatever the headers say or leave open. */
async function readBytes(request: Request): Promise<Uint8Array> {
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return refuseBody(reader);
  let length = 0;
  const chunks: Uint8Array[] = [];
  for (let read = await readChunk(reader); !read.done; read = await readChunk(reader)) {
    length += read.value.length;
    if (length > MAX_BODY_BYTES) return refuseBody(reader);
    chunks.push(read.value);
  }
  return Buffer.concat(chunks, length);
}

/** Reads the rest away first, within reason: many clients look at the answer only once they have sent everything. */
async function refuseBody(reader: BodyReader): Promise<never> {
  const until = performance.now() + DISCARD_MS;
  let discarded = 0;
  while (discarded < DISCARD_BYTES && performance.now() < until) {
    const read = await Promise.race([readChunk(reader), afterMs(SILENCE_MS)]);
    // Sent whole, or waiting for an answer before it goes on.
    if (read === null || read.done) throw bodyTooLarge();
    discarded += read.value.length;
  }
  throw bodyTooLarge();
}

function afterMs(ms: number): Promise<null> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, null).unref();
  });
}

async function readChunk(reader: BodyReader) {
  try {
    return await reader.read();
  } catch (cause) {
    throw new InvalidInput([
      inputFault('body', '', `broke off (${cause instanceof Error ? cause.message : String(cause)}); send it again`),
    ]);
  }
}
