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
