import { oddCharacter } from '../plain-text.ts';

/** CloudFront's limit for a URL, in bytes. */
export const MAX_URL_BYTES = 8192;
/** A longer text is refused unread: percent-encoding makes three characters of a byte, and nothing makes it shorter but dots and a fragment. */
const MAX_RAW_CHARS = 3 * MAX_URL_BYTES;

/** A normalised URL (ASCII only) and its host without the port, or what is wrong with it and what to write instead. */
export type ParsedUrl = { readonly url: string; readonly host: string } | { readonly fault: string };

const DISTRIBUTION_NAME = /^[a-z0-9-]{1,63}\.cloudfront\.(net|cn)$/;
const EDGE_NAME = /\.cloudfront\.(net|cn)$/;
/** Printable ASCII without the blank, `<` and `>`: nearly every URL, and nothing in it can be a wrong character. */
const PLAIN = /^[!-;=?-~]*$/;
// The URL parser would drop tabs and line ends silently, and so join what were two things.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const SECOND_URL = /\shttps?:\/\//i;
/** With its semicolon: `&copy=1` is a parameter. */
const ENTITY =
  /&(?:amp|lt|gt|quot|apos|nbsp|shy|copy|reg|szlig|[a-z]{1,2}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|lig)|#\d{1,7}|#x[0-9a-f]{1,6});/i;
/** A blank in a URL is written %20; a number, a date, a MIME type or a bar after one is a column of its own. */
const COLUMN_AFTER_BLANK =
  /\s(?:\||[-+]?\d[\d.,:%-]*(?:\s|$)|(?:text|image|application|video|audio|font|model|multipart)\/[\w.+-]+(?:\s|$))/i;
const ENCODED_HOST = /^https?:\/\/[^/?#\\]*%/i;
const HOST = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/;

/** Whether a host is a distribution's own name (`d111111abcdef8.cloudfront.net`), and not an alias. Lower case. */
export function isDistributionName(host: string): boolean {
  return DISTRIBUTION_NAME.test(host);
}

/** Null: usable. */
function hostFault(host: string, domain: string | null): string | null {
  if (host.startsWith('[') || /^[\d.]+$/.test(host)) {
    return 'has an address as its host; write the name viewers use, since certificate and distribution go by it';
  }
  if (host.endsWith('.')) return `has a host with a final dot; write ${host.slice(0, -1)}`;
  if (!host.includes('.')) return `has a host without a dot, ${host}; write the full name, as in www.example.com`;
  if (host.length > 253 || !HOST.test(host)) return `has a host that is no DNS name, ${host.slice(0, 80)}`;
  if (!EDGE_NAME.test(host)) return null;
  if (!isDistributionName(host))
    return "has a POP's own name as its host; write the distribution's name or an alias, and name the POP apart";
  if (domain !== null && isDistributionName(domain) && host !== domain) {
    return `belongs to another distribution than ${domain}; warm ${host} by a request of its own`;
  }
  return null;
}

/** What the URL parser would accept or mend, but nobody means. Null: usable. */
function textFault(text: string): string | null {
  if (text === '') return 'is empty; write a URL as in https://www.example.com/path';
  if (!PLAIN.test(text)) {
    const wrong = characterFault(text) ?? blankFault(text);
    if (wrong !== null) return wrong;
  }
  const entity = text.includes('&') ? ENTITY.exec(text)?.[0] : undefined;
  if (entity !== undefined) return `holds ${entity}, as HTML and XML write a character; write the character itself, as in & for &amp;`;
  return formFault(text);
}

function characterFault(text: string): string | null {
  if (CONTROL.test(text)) return 'holds a control character (tab, line end or the like); remove it, or write it percent-encoded';
  if (!text.isWellFormed()) return 'holds half a surrogate pair; write the URL in UTF-8 or percent-encoded';
  const odd = oddCharacter(text);
  if (odd !== null) return `holds ${odd.code}, which cannot be seen; remove it, or write ${odd.encoded} where it is meant`;
  if (text.includes('\ufffd')) return 'holds U+FFFD, which stands for a character that was lost; write the URL in UTF-8 or percent-encoded';
  return null;
}

function blankFault(text: string): string | null {
  if (/\s#/.test(text)) return 'has a comment after it; write the comment on a line of its own';
  if (SECOND_URL.test(text)) return 'holds two URLs; write one a line';
  if (COLUMN_AFTER_BLANK.test(text)) return 'has a column after a blank; write the URL alone, or %20 where the blank belongs to it';
  return null;
}

function formFault(text: string): string | null {
  if (/^https?:(?!\/\/[^/\\])/i.test(text)) return 'is not a full URL; write two slashes and the host, as in https://www.example.com/path';
  if (!/^https?:/i.test(text)) return schemeFault(text);
  if (/[<>]/.test(text)) return 'holds < or >; write the URL alone, or %3C and %3E where they are meant';
  // The parser would decode it, and then drop what cannot be seen.
  if (ENCODED_HOST.test(text)) return 'has a percent sign in its host; write the name as it is';
  return null;
}

function schemeFault(text: string): string {
  if (/^[/\\](?![/\\])/.test(text)) return 'is a path without a host; write the whole URL, as in https://www.example.com/path';
  if (/^\W.{0,200}?https?:\/\//i.test(text)) return 'has something before its URL; write the URL alone, as in https://www.example.com/path';
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined) return `has the scheme ${scheme.slice(0, 20)}; only http and https can be warmed`;
  if (/^(\/\/)?[^/?#\s@]+\.[^/?#\s@]+/.test(text)) {
    return `has no scheme; write https://${text.replace(/^\/\//, '').slice(0, 100)}`;
  }
  return 'is not a URL; write it as in https://www.example.com/path';
}

/**
 * Reads a URL the way browsers do (WHATWG), so that its cache key is a viewer's, and drops the fragment. `domain` is the
 * distribution's own name where it is known: another distribution's name is refused then.
 */
export function parseTargetUrl(raw: string, options: { readonly domain?: string | null } = {}): ParsedUrl {
  if (raw.length > MAX_RAW_CHARS) return { fault: `has ${raw.length} characters; CloudFront takes at most ${MAX_URL_BYTES} bytes` };
  // A byte order mark counts as white space, which is trimmed; inside a list nobody means it.
  const text = raw.includes('\ufeff') ? raw : raw.trim();
  const wrong = textFault(text);
  if (wrong !== null) return { fault: wrong };
  const parsed = URL.parse(text);
  if (parsed === null) return { fault: 'is not a valid URL; check its host and port, as in https://www.example.com/path' };
  if (parsed.username !== '' || parsed.password !== '') {
    return { fault: 'holds a user name or password; remove it, and send an Authorization header instead' };
  }
  const wrongHost = hostFault(parsed.hostname, options.domain ?? null);
  if (wrongHost !== null) return { fault: wrongHost };
  if (parsed.port !== '') {
    return {
      fault: `names the port ${parsed.port}; CloudFront answers at 80 and 443 only, http at 80 and https at 443: write the URL without the port`,
    };
  }
  // Setting `hash` is the parser's own way of dropping a fragment, an empty one (`…#`) included.
  parsed.hash = '';
  const url = parsed.href;
  if (url.length > MAX_URL_BYTES) {
    return { fault: `has ${url.length} bytes; CloudFront takes at most ${MAX_URL_BYTES}` };
  }
  return { url, host: parsed.hostname };
}
