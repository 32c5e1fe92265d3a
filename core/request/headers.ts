import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { Header } from './request.ts';
import { MAX_URL_BYTES } from './url.ts';

/** CloudFront takes 20,480 bytes of URL and headers together; the rest is left for the longest URL. */
const MAX_HEADER_BYTES = 20_480 - MAX_URL_BYTES;

/** `Name: value` and the line end, as sent. */
const FRAMING_BYTES = 4;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const VALUE = /^[\t\u0020-\u007e]*$/;

const HOP_BY_HOP = 'names a property of the connection, which the downloader decides; leave it out';
const REFUSED: Readonly<Record<string, string>> = {
  host: 'is taken from each URL; put the name viewers use into the URLs',
  connection: HOP_BY_HOP,
  'keep-alive': HOP_BY_HOP,
  te: HOP_BY_HOP,
  trailer: HOP_BY_HOP,
  'transfer-encoding': HOP_BY_HOP,
  upgrade: HOP_BY_HOP,
  'http2-settings': HOP_BY_HOP,
  'content-length': 'belongs to a body, and a download sends none; leave it out',
  expect: 'belongs to a body, and a download sends none; leave it out',
  range: 'would warm only a part of each object; leave it out, whole objects are downloaded',
};

function refusalOf(name: string): string | null {
  const lower = name.toLowerCase();
  if (lower.startsWith('proxy-')) return HOP_BY_HOP;
  if (lower.startsWith('if-')) return 'makes the download conditional, so that it may bring no body; leave it out';
  return Object.hasOwn(REFUSED, lower) ? (REFUSED[lower] ?? null) : null;
}

/** Reads `Name: value`. A fault says what is wrong and what to write instead. */
export function parseHeaderLine(line: string): { readonly header: Header } | { readonly fault: string } {
  if (/[\r\n\0]/.test(line)) return { fault: 'holds a line end or a NUL; write one header, on one line' };
  const colon = line.indexOf(':');
  if (colon === 0) return { fault: 'starts with a colon; pseudo-headers are made from the URL, write Name: value' };
  if (colon < 0) return { fault: 'has no colon; write it as Name: value' };
  const name = line.slice(0, colon).trimStart();
  const value = line.slice(colon + 1).trim();
  if (!TOKEN.test(name)) return { fault: 'has a name with characters that no header name may hold; write letters, digits and dashes' };
  if (!VALUE.test(value)) return { fault: 'has a value with characters beyond printable ASCII; percent-encode or remove them' };
  const refusal = refusalOf(name);
  if (refusal !== null) return { fault: `${name} ${refusal}` };
  return { header: [name, value] };
}

/** The headers of all lines, in order, and every fault: of single lines, names given twice, and too much in all. */
export function parseHeaders(lines: readonly string[], field: string): { headers: readonly Header[]; faults: readonly InputFault[] } {
  const headers: Header[] = [];
  const faults: InputFault[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const line of lines) {
    const parsed = parseHeaderLine(line);
    if ('fault' in parsed) {
      faults.push(inputFault(field, line, parsed.fault));
      continue;
    }
    const [name, value] = parsed.header;
    if (seen.has(name.toLowerCase())) faults.push(inputFault(field, line, `${name} is given twice; join the values in one line`));
    seen.add(name.toLowerCase());
    bytes += name.length + value.length + FRAMING_BYTES;
    headers.push(parsed.header);
  }
  if (bytes > MAX_HEADER_BYTES) {
    faults.push(
      inputFault(field, lines.join('; '), `has ${bytes} bytes in all; at most ${MAX_HEADER_BYTES} are left beside the longest URL`),
    );
  }
  return { headers, faults };
}
