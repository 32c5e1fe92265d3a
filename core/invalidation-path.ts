/** What RFC 1738 calls unsafe and a normalised URL may still hold, and the `*` that would be a wildcard. */
const UNSAFE = /[~[\]{}|\\^`<>"*]/g;

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
