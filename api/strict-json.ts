import { InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';

/** The API's own bodies are three levels deep. */
const MAX_DEPTH = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function refuse(value: string, message: string): InvalidInput {
  return new InvalidInput([inputFault('body', value, message)]);
}

/**
 * Parses JSON that means one thing only: no name twice in an object, since parsers disagree about which one counts, and no
 * `__proto__`. Throws InvalidInput.
 */
export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw refuse(text, `is not JSON (${detail.slice(0, 100)}); write a JSON object: {"url_list": ["https://www.example.com/path"]}`);
  }
  checkNames(text);
  return value;
}

/** Where the string that begins at `start` ends: the index after its closing quote. The text is valid JSON. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at + 1;
  }
}

function nameOf(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

/** Goes over valid JSON by its brackets and strings. A string is a name where an object waits for one. */
function checkNames(text: string): void {
  /** One entry per open bracket: the names so far, or null in a list. */
  const open: (Set<string> | null)[] = [];
  let expectsName = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (expectsName) addName(open.at(-1), nameOf(text.slice(at, end)));
      expectsName = false;
      at = end - 1;
      continue;
    }
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      if (open.length > MAX_DEPTH) throw refuse('', `is nested deeper than ${MAX_DEPTH} levels; write a plain object of lists and values`);
      expectsName = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      expectsName = false;
    } else if (char === ',') expectsName = open.at(-1) instanceof Set;
  }
}

function addName(names: Set<string> | null | undefined, name: string): void {
  if (name === '__proto__') throw refuse(name, 'is no field; leave it out');
  if (names?.has(name)) throw refuse(name, 'is given twice in one object; write it once');
  names?.add(name);
}
