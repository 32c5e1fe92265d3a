import { hash } from 'node:crypto';

/** Remembers which URLs have been seen, by 128 bits of their hash: at most 40 bytes a URL however long they are. */
export interface UrlSet {
  /** True when the URL is new. */
  add(url: string): boolean;
  readonly size: number;
}

const WORDS = 4;
/** Of 16 bytes each; a segment just doubled is 0.4 full, which makes the 40 bytes. */
const MAX_LOAD = 0.8;
/** Many small tables: each grows alone, so that growing never needs twice the memory of the whole. */
const SEGMENTS = 256;
const FIRST_SLOTS = 8;

interface Segment {
  words: Uint32Array;
  slots: number;
  used: number;
}

/** The slot that holds the key, or the free one where it belongs. Word 0 of a free slot is 0. */
function slotOf(segment: Segment, key: Uint32Array): number {
  const mask = segment.slots - 1;
  let slot = (key[1] ?? 0) & mask;
  for (;;) {
    const at = slot * WORDS;
    const first = segment.words[at];
    if (first === 0) return slot;
    if (first === key[0] && segment.words[at + 1] === key[1] && segment.words[at + 2] === key[2] && segment.words[at + 3] === key[3]) {
      return slot;
    }
    slot = (slot + 1) & mask;
  }
}

function grow(segment: Segment): void {
  const old = segment.words;
  segment.slots *= 2;
  segment.words = new Uint32Array(segment.slots * WORDS);
  for (let at = 0; at < old.length; at += WORDS) {
    const key = old.subarray(at, at + WORDS);
    if (key[0] !== 0) segment.words.set(key, slotOf(segment, key) * WORDS);
  }
}

/** SHA-256, cut to 128 bits: a million URLs collide with a chance below 10^-26. */
function writeKey(url: string, key: Uint32Array): void {
  const digest = hash('sha256', url, 'buffer');
  for (let word = 0; word < WORDS; word++) key[word] = digest.readUInt32LE(word * 4);
  if (key[0] === 0) key[0] = 1;
}

export function createUrlSet(): UrlSet {
  const segments: Segment[] = Array.from({ length: SEGMENTS }, () => ({
    words: new Uint32Array(FIRST_SLOTS * WORDS),
    slots: FIRST_SLOTS,
    used: 0,
  }));
  const key = new Uint32Array(WORDS);
  let size = 0;
  return {
    add(url) {
      writeKey(url, key);
      const segment = segments[(key[3] ?? 0) % SEGMENTS];
      if (segment === undefined) throw new RangeError('no such segment');
      const at = slotOf(segment, key) * WORDS;
      if (segment.words[at] !== 0) return false;
      segment.words.set(key, at);
      segment.used++;
      size++;
      if (segment.used > segment.slots * MAX_LOAD) grow(segment);
      return true;
    },
    get size() {
      return size;
    },
  };
}
