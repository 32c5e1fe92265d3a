import { InvalidInput, PrewarmError } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { parseStrictJson } from './strict-json.ts';

/** The gateway's function payload ends at 6 MB, escapes included; the same limit everywhere. */
const MAX_BODY_BYTES = 5 * 1024 * 1024;

/** The body is longer than may be sent at once. */
export class BodyTooLarge extends PrewarmError {
  constructor() {
    super('invalid_input', `body: has more than ${MAX_BODY_BYTES} bytes; split the list into several requests`);
  }
}

/** Reads the body as JSON whatever its Content-Type says. Throws BodyTooLarge, or InvalidInput when it is no JSON. */
export async function readJsonBody(request: Request): Promise<unknown> {
  const bytes = await readBytes(request);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidInput([inputFault('body', '', 'is not UTF-8; write JSON in UTF-8')]);
  }
  return parseStrictJson(text);
}

/** Never holds more than the limit, whatever the headers say or leave open. */
async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw new BodyTooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await readChunk(reader);
    if (done) break;
    length += value.length;
    if (length > MAX_BODY_BYTES) {
      await reader.cancel();
      throw new BodyTooLarge();
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, length);
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    throw new InvalidInput([
      inputFault('body', '', `broke off (${cause instanceof Error ? cause.message : String(cause)}); send it again`),
    ]);
  }
}
