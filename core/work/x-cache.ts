/** What a cache says of an answer in `x-cache`. `unknown`: a word that stands for none of the others. */
export type XCache = 'hit' | 'refresh_hit' | 'miss' | 'error' | 'generated' | 'unknown' | 'none';

/** CloudFront's own words, which nearly every answer has. */
const KNOWN: ReadonlyMap<string, XCache> = new Map([
  ['', 'none'],
  ['Hit from cloudfront', 'hit'],
  ['Miss from cloudfront', 'miss'],
  ['RefreshHit from cloudfront', 'refresh_hit'],
  ['Error from cloudfront', 'error'],
]);

/** The first rule that fits decides. nginx says REVALIDATED where CloudFront says RefreshHit. Varnish's hit-for-pass and hit-for-miss are asked of the origin each time. */
const RULES: readonly (readonly [RegExp, XCache])[] = [
  [/^hit[- ]?(?:for[- ]?)?(?:miss|pass)/, 'miss'],
  [/^hit/, 'hit'],
  [/^(?:refresh ?hit|revalidated)/, 'refresh_hit'],
  [/^(?:miss|expired|bypass|stale|updating)/, 'miss'],
  [/^error/, 'error'],
  [/^(?:lambda|function)generated/, 'generated'],
];

/** The last value that is not empty: each cache adds its own behind those of the caches before it, so the outermost edge's is the last. */
function outermost(header: string): string {
  const values = header.split(',');
  for (let index = values.length - 1; index >= 0; index--) {
    const value = (values[index] ?? '').trim();
    if (value !== '') return value.toLowerCase();
  }
  return '';
}

/** Reads `x-cache`, whose lines are joined by commas. Letter case and surrounding white space mean nothing. */
export function readXCache(header: string): XCache {
  const known = KNOWN.get(header);
  if (known !== undefined) return known;
  const word = outermost(header);
  if (word === '') return 'none';
  for (const [pattern, meaning] of RULES) if (pattern.test(word)) return meaning;
  return 'unknown';
}
