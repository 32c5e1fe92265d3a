import type { Layer, Looked } from './upstream.ts';

/** How CloudFront writes its caches. */
const LAYER_NAMES: Readonly<Record<Layer, string>> = { edge: 'EDGE', regional: 'REC', shield: 'Origin Shield' };

/** What an answer's `Server-Timing` says beside where it came from. */
export interface AnswerTiming {
  readonly pop: string;
  /** `x-amz-cf-id`. */
  readonly requestId: string;
  /** To the first byte from the tier above, milliseconds. */
  readonly upstreamMs: number;
  /** To the first byte for the viewer, milliseconds. */
  readonly downstreamMs: number;
  /** Entries that the origin wrote; '' for none. */
  readonly ofOrigin: string;
}

const quoted = (name: string, value: string) => `${name};desc="${value}"`;
const lasting = (name: string, ms: number) => `${name};dur=${Math.round(ms)}`;

/** Writes `Server-Timing` as CloudFront does: on a miss the origin's entries stand between its own. */
export function writeServerTiming({ source }: Looked, timing: AnswerTiming): string {
  const ownEntries = [quoted('cdn-pop', timing.pop), quoted('cdn-rid', timing.requestId)];
  const ofOrigin = timing.ofOrigin === '' ? [] : [timing.ofOrigin];
  const downstream = lasting('cdn-downstream-fbl', timing.downstreamMs);
  if (source.layer !== 'origin') {
    const outcome = source.refreshed ? 'cdn-cache-refresh' : 'cdn-cache-hit';
    return [outcome, ...ownEntries, quoted('cdn-hit-layer', LAYER_NAMES[source.layer]), downstream, ...ofOrigin].join(',');
  }
  return [
    quoted('cdn-upstream-layer', LAYER_NAMES[source.askedBy ?? 'edge']),
    lasting('cdn-upstream-dns', 0),
    lasting('cdn-upstream-connect', source.connectMs),
    lasting('cdn-upstream-fbl', timing.upstreamMs),
    'cdn-cache-miss',
    ...ofOrigin,
    ...ownEntries,
    downstream,
  ].join(',');
}
