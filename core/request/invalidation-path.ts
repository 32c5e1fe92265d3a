import { InvalidInput } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import { createUrlSet } from './url-set.ts';

/** What RFC 1738 calls unsafe and a normalised URL may still hold, and the `*` that would be a wildcard. */
const UNSAFE = /[~[\]{}|\\^`<>"*]/g;

/** CloudFront refuses a longer one. */
export const MAX_PATH_CHARACTERS = 4000;

/**
 * As many paths as CloudFront takes in one call and has in progress at a time. Above the 1,000 that are free each month, so many cost
 * 10 to 15 US dollars: a list that was meant does not stop there by surprise, and one that was not costs no more.
 */
export const DEFAULT_MAX_INVALIDATION_PATHS = 3000;
export const MOST_INVALIDATION_PATHS = 999_999_999;

/**
 * The path, with its query string, by which CloudFront invalidates a normalised URL. CloudFront refuses characters that RFC 1738 calls
 * unsafe, and takes a final `*` for a wildcard, so they are percent-encoded. AWS documents that exactly these are to be encoded, and no
 * others ("What you need to know when invalidating files", CloudFront Developer Guide). Whether the encoded form always meets the
 * copy that viewers' plain form made is not known: one report says that `%7E` left the copy of `~` (github.com/aws/aws-sdk/issues/525).
 */
export function invalidationPathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return (pathname + search).replace(UNSAFE, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/**
 * Throws InvalidInput where the URLs have more distinct paths than one request may invalidate. `field` asks for the invalidation, and
 * `raise` is what raises the maximum, as the user knows them.
 */
export async function checkInvalidationPaths(
  urls: Iterable<string> | AsyncIterable<string>,
  limit: { readonly maximum: number; readonly field: string; readonly value: unknown; readonly raise: string },
): Promise<void> {
  const { maximum, field, value, raise } = limit;
  const paths = createUrlSet();
  for await (const url of urls) {
    paths.add(invalidationPathOf(url));
    if (paths.size <= maximum) continue;
    const message = `would invalidate more than ${maximum} paths, the most that one request takes here (CloudFront takes 0.005 US dollars for each beyond the first 1,000 of a month); split the list, leave ${field} out, or raise the maximum by ${raise}`;
    throw new InvalidInput([inputFault(field, value, message)]);
  }
}
