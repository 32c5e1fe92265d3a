/** What a file that is no list of URLs begins with, and what its user can do today. */
interface Foreign {
  readonly is: RegExp;
  readonly fault: string;
}

const UTF16 = 'is UTF-16; save it as UTF-8 ("CSV UTF-8" in Excel, or: iconv -f UTF-16 -t UTF-8)';

/** Null: the first four bytes could begin text in UTF-8. */
export function foreignBytes(head: Uint8Array): string | null {
  const [a, b, c, d] = head;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return UTF16;
  if ((a !== 0 && b === 0 && c !== 0 && d === 0) || (a === 0 && b !== 0 && c === 0 && d !== 0)) return UTF16;
  if (a === 0x1f && b === 0x8b) return 'is compressed by gzip; unpack it first (gunzip)';
  if (a === 0x50 && b === 0x4b && c === 3 && d === 4) return 'is a zip archive or an Excel workbook; unpack it, or save it as "CSV UTF-8"';
  if (a === 0xd0 && b === 0xcf && c === 0x11 && d === 0xe0)
    return 'is an old Excel workbook (.xls) or Word document; save it as "CSV UTF-8"';
  if (a === 0x25 && b === 0x50 && c === 0x44 && d === 0x46) return 'is a PDF; write its URLs into a text file, one a line';
  return null;
}

const FOREIGN_LINES: readonly Foreign[] = [
  {
    is: /^<(?:urlset|sitemapindex)\b/i,
    fault: "is a sitemap; write the URLs between <loc> and </loc> one a line, with & for &amp;, as in: grep -o '<loc>[^<]*' FILE",
  },
  { is: /^<MPD\b/, fault: 'is a DASH manifest; write the URLs of the manifest and of its segments one a line' },
  { is: /^<(?:!doctype html|html|head|body)\b/i, fault: 'is an HTML page; write the URLs in it one a line' },
  {
    is: /^<(?:\?xml|!--|[a-z][\w:.-]*[\s/>])/i,
    fault:
      "is XML, perhaps a sitemap; write the URLs in it one a line, with & for &amp; (those of a sitemap stand in <loc>: grep -o '<loc>[^<]*' FILE)",
  },
  { is: /^#EXTM3U/, fault: 'is an HLS playlist; write the URLs of the playlists and of their segments one a line' },
  {
    is: /^#(?:Version|Fields|Software|Date):/i,
    fault: 'is an access log; write the URLs that viewers asked for one a line (https:// with cs(Host) or x-host-header, then cs-uri-stem)',
  },
  { is: /^\{\s*(?:"|$|\})/, fault: 'is JSON; write its URLs one a line, as in: jq -r ".urls[]" FILE' },
  { is: /^\[\s*(?:["[{\d\]]|$)/, fault: 'is JSON; write its URLs one a line, as in: jq -r ".[]" FILE' },
  {
    is: /^"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]","[^"]*"(?:,"[^"]*")*$/,
    fault: 'is an S3 inventory (bucket, key, ...); write one URL a line: https://, the host that viewers use, / and the decoded key',
  },
];

/** Null: the first line that is not blank could be one of a list. */
export function foreignLine(text: string): string | null {
  if (text.length > 4096 || /"https?:/i.test(text)) return null;
  return FOREIGN_LINES.find(({ is }) => is.test(text))?.fault ?? null;
}
