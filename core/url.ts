/** CloudFront's limit for a URL, in bytes. */
export const MAX_URL_BYTES = 8192;

/** A normalised URL (ASCII only) and its host without the port, or what is wrong with it and what to write instead. */
export type ParsedUrl = { readonly url: string; readonly host: string } | { readonly fault: string };

const DISTRIBUTION_NAME = /^[a-z0-9-]{1,63}\.cloudfront\.(net|cn)$/;
const EDGE_NAME = /\.cloudfront\.(net|cn)$/;
// The URL parser would drop tabs and line ends silently, and so join what were two things.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const SECOND_URL = /\s+https?:\/\//i;
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
  if (CONTROL.test(text)) return 'holds a control character (tab, line end or the like); remove it, or write it percent-encoded';
  if (!text.isWellFormed()) return 'holds half a surrogate pair; write the URL in UTF-8 or percent-encoded';
  if (SECOND_URL.test(text)) return 'holds two URLs; write one a line';
  if (/^https?:(?!\/\/[^/\\])/i.test(text)) return 'is not a full URL; write two slashes and the host, as in https://www.example.com/path';
  return null;
}

function schemeFault(text: string): string {
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
  const text = raw.trim();
  const wrong = textFault(text);
  if (wrong !== null) return { fault: wrong };
  const parsed = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (parsed === null) {
    return {
      fault: /^https?:/i.test(text) ? 'is not a valid URL; check its host and port, as in https://www.example.com/path' : schemeFault(text),
    };
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return { fault: 'holds a user name or password; remove it, and send an Authorization header instead' };
  }
  const wrongHost = hostFault(parsed.hostname, options.domain ?? null);
  if (wrongHost !== null) return { fault: wrongHost };
  // Setting `hash` is the parser's own way of dropping a fragment, an empty one (`…#`) included.
  parsed.hash = '';
  const url = parsed.href;
  if (url.length > MAX_URL_BYTES) {
    return { fault: `has ${url.length} bytes; CloudFront takes at most ${MAX_URL_BYTES}` };
  }
  return { url, host: parsed.hostname };
}
