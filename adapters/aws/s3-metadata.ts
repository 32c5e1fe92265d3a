import type { ResultMetadata } from '../../core/ports/list-store.ts';

/**
 * Metadata travel as header values: ASCII without control characters, and blanks at the ends or in a row do not survive.
 * Whatever is different is percent-encoded; the figures of tasks need none of it, so that they fit into S3's 2 KB.
 */
const UNSAFE = /[^\x20-\x7e]|%|^ +| +$| {2,}/gu;

export function encodeMetadata(metadata: ResultMetadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value.replace(UNSAFE, encodeURIComponent)]));
}

export function decodeMetadata(metadata: Readonly<Record<string, string>>): ResultMetadata {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, decodeURIComponent(value)]));
}
