import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';

/** Columns of a terminal that a text fills: a wide character, such as a Chinese one, fills two, a color none. */
export const textWidth = (text: string): number => stringWidth(text);

/** The text where it fits into so many columns, else its beginning without colors, and `ending`. A character is never cut in two. */
export function cutToWidth(text: string, width: number, ending = ''): string {
  if (textWidth(text) <= width) return text;
  const room = width - textWidth(ending);
  let kept = '';
  let filled = 0;
  for (const { segment } of new Intl.Segmenter().segment(stripVTControlCharacters(text))) {
    filled += textWidth(segment);
    if (filled > room) break;
    kept += segment;
  }
  return `${kept}${ending}`;
}
