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

/**
 * Characters that cannot be seen, or that look like a plain blank: zero-width ones, soft hyphens, bidirectional marks, tags,
 * variation selectors, fillers, and every blank but the space bar's. All that Unicode tells a renderer to pass over is here.
 */
const ODD = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]|(?! )\p{Zs}/u;
const EVERY_ODD = new RegExp(ODD.source, 'gu');

const codeOf = (char: string) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** The first of them, by its code (`U+200B`) and as a URL would carry it (`%E2%80%8B`). Null: all can be seen. The text is well-formed. */
export function oddCharacter(text: string): { readonly code: string; readonly encoded: string } | null {
  const char = ODD.exec(text)?.[0];
  return char === undefined ? null : { code: codeOf(char), encoded: encodeURIComponent(char) };
}

/** The text with each of them written as its code: `a<U+200B>b`. */
export function showOddCharacters(text: string): string {
  return text.replace(EVERY_ODD, (char) => `<${codeOf(char)}>`);
}
