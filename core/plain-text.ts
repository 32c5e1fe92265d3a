/** Control characters, line and paragraph separators, marks that turn the reading direction or cannot be seen, and halves of pairs. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` };

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return NAMED[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`);
}

/**
 * Text from outside as one line that a terminal, a table or a log can show: what would steer a terminal, forge a line or hide
 * text is written as an escape. Ordinary text stays as it is.
 */
export function plainText(text: string): string {
  return text.replace(UNSHOWN, escapeOf);
}

/** The same for text of several lines: its line ends stay. */
export function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n');
}

/** A value of JSON with every text and every name in it made plain. */
export function plainJson(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [plainText(name), plainJson(part)]));
}

/** JSON that holds no such character as it is: each is escaped as JSON does it, so the value stays the same. */
export function plainJsonText(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    char === '\n'
      ? char
      : Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
