import type { Header } from '../request/request.ts';

/** Which cache of CloudFront answered: the POP's own, the regional one behind it, Origin Shield; `origin`: none did. `unknown`: the answer does not say. */
type Layer = 'edge' | 'regional' | 'shield' | 'origin' | 'unknown';

/** What CloudFront says of an answer in `Server-Timing`. */
export interface CdnTiming {
  readonly layer: Layer;
  /** The layer that asked the origin; null: no cache of CloudFront did, or the answer does not say. */
  readonly upstreamLayer: Layer | null;
  /** For the connection to the origin to stand, milliseconds; 0: the connection was used before, -1: the answer does not say. */
  readonly upstreamConnectMs: number;
}

/** Asks CloudFront for `Server-Timing`, whatever the sampling rate of the response headers policy is. */
const PRAGMA: Header = ['pragma', 'server-timing'];

/** The headers with the question for `Server-Timing`, unless they name a `Pragma` of their own. */
export function askingServerTiming(headers: readonly Header[]): readonly Header[] {
  return headers.some(([name]) => name.toLowerCase() === 'pragma') ? headers : [...headers, PRAGMA];
}

const SILENT: CdnTiming = { layer: 'unknown', upstreamLayer: null, upstreamConnectMs: -1 };
/** Longer headers are read so far only. */
const MAX_CHARS = 16 * 1024;
const LAYERS: ReadonlyMap<string, Layer> = new Map([
  ['edge', 'edge'],
  ['rec', 'regional'],
  ['origin shield', 'shield'],
]);

/** Names of CloudFront's entries that are read, or that tell one distribution's from another's. Other networks have `cdn-*` entries too. */
const NAMES: ReadonlySet<string> = new Set([
  'cdn-cache-hit',
  'cdn-cache-refresh',
  'cdn-cache-miss',
  'cdn-hit-layer',
  'cdn-pop',
  'cdn-rid',
  'cdn-downstream-fbl',
  'cdn-upstream-layer',
  'cdn-upstream-dns',
  'cdn-upstream-connect',
  'cdn-upstream-fbl',
]);

/** CloudFront's entries that one distribution wrote: values by name, without quotes. */
type Group = Map<string, string>;

/** Cuts at `separator` outside quotes. */
function* split(text: string, separator: string): Generator<string> {
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      yield text.slice(from, at);
      from = at + 1;
    }
  }
  yield text.slice(from);
}

const bare = (text: string) =>
  text
    .trim()
    .replace(/^"([^"]*)"$/, '$1')
    .trim();

function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [bare(text).toLowerCase(), ''] : [bare(text.slice(0, equals)).toLowerCase(), bare(text.slice(equals + 1))];
}

/** Name and value of an entry: `cdn-rid;desc="x"`, `cdn-upstream-connect;dur=0`, and `cdn-upstream-fbl=177`, which CloudFront writes too. */
function readEntry(entry: string): readonly [string, string] {
  const [first = '', ...params] = [...split(entry, ';')];
  const [name, own] = pairOf(first);
  if (own !== '') return [name, own];
  const given = new Map(params.map(pairOf));
  return [name, given.get('desc') ?? given.get('dur') ?? ''];
}

/** Outcomes of a cache share a key, since an answer has one of them. */
const keyOf = (name: string) => (name.startsWith('cdn-cache-') ? 'cdn-cache' : name);

/** Whether the entry is another distribution's than the group's: its key is there already, or no answer has both. */
function startsGroup(group: Group, key: string): boolean {
  if (key === 'cdn-cache') return group.has(key) && group.has('cdn-rid');
  if (group.has(key)) return true;
  const outcome = group.get('cdn-cache');
  if (outcome === undefined || !group.has('cdn-rid')) return false;
  return outcome === 'cdn-cache-miss' ? key === 'cdn-hit-layer' : key.startsWith('cdn-upstream-');
}

/** A distribution behind another one writes entries too: the group whose `cdn-rid` is the answer's own request id counts, else the last. */
function groupOf(header: string, requestId: string): Group {
  const groups: Group[] = [new Map()];
  for (const entry of split(header.slice(0, MAX_CHARS), ',')) {
    const [name, value] = readEntry(entry);
    if (!NAMES.has(name)) continue;
    const key = keyOf(name);
    let group = groups.at(-1) as Group;
    if (startsGroup(group, key)) {
      group = new Map();
      groups.push(group);
    }
    if (key !== 'cdn-cache') group.set(key, value);
    // Both a hit and a miss: it is not known which.
    else group.set(key, group.has(key) && group.get(key) !== name ? '' : name);
  }
  return groups.find((group) => requestId !== '' && group.get('cdn-rid') === requestId) ?? (groups.at(-1) as Group);
}

const layerOf = (value: string | undefined): Layer => LAYERS.get(value?.toLowerCase() ?? '') ?? 'unknown';

/**
 * Reads `Server-Timing`, whose lines are joined by commas, as CloudFront writes it where the response headers policy says so. Entries of
 * the origin's may stand between CloudFront's. What cannot be read is passed over. `requestId`: the answer's `x-amz-cf-id`.
 */
export function readServerTiming(header: string, requestId: string): CdnTiming {
  if (header === '') return SILENT;
  const group = groupOf(header, requestId);
  const outcome = group.get('cdn-cache');
  const connect = group.get('cdn-upstream-connect') ?? '';
  const upstreamConnectMs = /^\d{1,9}(?:\.\d{1,9})?$/.test(connect) ? Number(connect) : -1;
  if (outcome === 'cdn-cache-miss') return { layer: 'origin', upstreamLayer: layerOf(group.get('cdn-upstream-layer')), upstreamConnectMs };
  const isHit = outcome === 'cdn-cache-hit' || outcome === 'cdn-cache-refresh';
  return { layer: isHit ? layerOf(group.get('cdn-hit-layer')) : 'unknown', upstreamLayer: null, upstreamConnectMs };
}
