import type { OriginObject } from './origin.ts';

/** Bytes: from a thumbnail to a video segment. */
const SIZES = [2_000, 9_000, 24_000, 60_000, 180_000, 900_000];

/** An object for any path, whose size depends on the path alone; it may be cached for a day. */
export function madeUpObject(path: string): OriginObject {
  let sum = 0;
  for (let at = 0; at < path.length; at++) sum = (sum * 31 + path.charCodeAt(at)) >>> 0;
  return { size: SIZES[sum % SIZES.length] ?? 2_000, cacheControl: 'public, max-age=86400' };
}
