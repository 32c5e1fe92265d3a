export type ParsedNotifyUrl = { readonly url: string } | { readonly fault: string };

const MAX_BYTES = 2048;
const WANTED = 'write an https URL of at most 2,048 bytes, as in https://hooks.example.com/prewarm';
// The URL parser would drop them silently.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** Where a request's end is to be told. Which addresses it may lead to is judged when it is asked, since names move. */
export function parseNotifyUrl(raw: string): ParsedNotifyUrl {
  const text = raw.trim();
  const parsed = /^https:\/\/[^/\\]/i.test(text) && !CONTROL.test(text) && text.isWellFormed() ? URL.parse(text) : null;
  if (parsed === null) return { fault: `is no https URL; ${WANTED}` };
  if (parsed.username !== '' || parsed.password !== '') {
    return { fault: 'holds a user name or password; remove it, and put a secret into the path or the query' };
  }
  parsed.hash = '';
  const url = parsed.href;
  return url.length > MAX_BYTES ? { fault: `has ${url.length} bytes; ${WANTED}` } : { url };
}
