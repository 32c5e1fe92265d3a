import { setImmediate as letOthersIn } from 'node:timers/promises';
import pLimit from 'p-limit';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { finish, finishInPieces, type Steps } from '../../core/steps.ts';
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

/** The API's own bodies are three levels deep. */
const MAX_DEPTH = 32;
/** Characters that are looked at in one piece: a few milliseconds. */
const PIECE = 200_000;
/** Of every object without a name yet: a set of its own for each would be most of the work in a long list of objects. */
const NO_NAMES = new Set<string>();
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const COLON = 0x3a;
/** A body needs a dozen of each. */
const MAX_BRACKETS = 10_000;
const MAX_FIELDS = 10_000;
/** V8 looks each text of up to ten characters up in a table of its own while it parses; no URL is that short. */
const SHORT_TEXT = 10;
/** A body needs a thousand POPs at most, and some headers. */
const MAX_SHORT_TEXTS = 20_000;

function refuse(value: string, message: string): InvalidInput {
  return new InvalidInput([inputFault('body', value, message)]);
}

/**
 * Parses JSON that means one thing only: no name twice in an object, since parsers disagree about which one counts, and no
 * `__proto__`. Throws InvalidInput.
 */
function* parseStrictJsonInSteps(text: string): Steps<unknown> {
  yield* checkNumbers(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw refuse(text, `is not JSON (${detail.slice(0, 100)}); write a JSON object: {"url_list": ["https://www.example.com/path"]}`);
  }
  yield;
  yield* checkNames(text);
  return value;
}

/** The same in one piece. */
export function parseStrictJson(text: string): unknown {
  return finish(parseStrictJsonInSteps(text));
}

/**
 * Millions of small objects, names or short texts would hold the parser up for most of a second, in one piece. Text that is no
 * JSON is left to the parser: a string without an end counts to the end of the text.
 */
function* checkNumbers(text: string): Steps<void> {
  let brackets = 0;
  let fields = 0;
  let shortTexts = 0;
  let pieceEnd = PIECE;
  for (let at = 0; at < text.length; at++) {
    if (at > pieceEnd) {
      pieceEnd = at + PIECE;
      yield;
    }
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (end - at <= SHORT_TEXT + 2) shortTexts++;
      at = end - 1;
    } else if (code === BRACE || code === BRACKET) brackets++;
    else if (code === COLON) fields++;
    if (brackets > MAX_BRACKETS) throw tooMany(MAX_BRACKETS, 'objects and lists');
    if (fields > MAX_FIELDS) throw tooMany(MAX_FIELDS, 'fields');
    if (shortTexts > MAX_SHORT_TEXTS) throw tooMany(MAX_SHORT_TEXTS, `texts of at most ${SHORT_TEXT} characters`);
  }
}

function tooMany(most: number, what: string): InvalidInput {
  return refuse('', `holds more than ${most} ${what}; write one object with a list of full URLs`);
}

/** Where the string that begins at `start` ends: the index after its closing quote, or the text's end. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    if (at < 0) return text.length;
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at + 1;
  }
}

function nameOf(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

/** Goes over valid JSON by its brackets and strings. A string is a name where an object waits for one. */
function* checkNames(text: string): Steps<void> {
  /** One entry per open bracket: the names so far, or null in a list. */
  const open: (Set<string> | null)[] = [];
  let pieceEnd = PIECE;
  let expectsName = false;
  for (let at = 0; at < text.length; at++) {
    if (at > pieceEnd) {
      pieceEnd = at + PIECE;
      yield;
    }
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (expectsName) addName(open, nameOf(text.slice(at, end)));
      expectsName = false;
      at = end - 1;
      continue;
    }
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? NO_NAMES : null);
      if (open.length > MAX_DEPTH) throw refuse('', `is nested deeper than ${MAX_DEPTH} levels; write a plain object of lists and values`);
      expectsName = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      expectsName = false;
    } else if (char === ',') expectsName = open.at(-1) instanceof Set;
  }
}

/** `open` ends with the names of the object that the name stands in. */
function addName(open: (Set<string> | null)[], name: string): void {
  const names = open.at(-1);
  if (name === '__proto__') throw refuse(name, 'is no field; leave it out');
  if (names?.has(name)) throw refuse(name, 'is given twice in one object; write it once');
  if (names === NO_NAMES) open[open.length - 1] = new Set([name]);
  else names?.add(name);
}
