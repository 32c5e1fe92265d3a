import { ascending, medianOf, quantileOf } from '../quantile.ts';
import type { AskError } from '../ports/downloader.ts';

/** One request and how long each part of it took. Milliseconds; -1: it did not come to that, or was not needed. */
export interface TimingSample {
  /** When it was sent, milliseconds since the epoch. */
  readonly at: number;
  readonly url: string;
  /** The POP it was sent through; '': wherever DNS leads. */
  readonly pop: string;
  /** `ip:port`; '': there was none. */
  readonly address: string;
  readonly error: AskError | 'dns' | null;
  /** What is wrong, in words; '' where nothing is. */
  readonly detail: string;
  /** 0: no answer. */
  readonly status: number;
  /** Looking the address up. */
  readonly dnsMs: number;
  readonly tcpMs: number;
  readonly tlsMs: number;
  /** From sending the request to its first byte: what the edge and the origin behind it take, and one round trip to the edge. */
  readonly waitMs: number;
  /** From the very start to the first byte: what a viewer waits. */
  readonly firstByteMs: number;
  /** From the very start to the end of the body. */
  readonly totalMs: number;
  readonly bytes: number;
  readonly xCache: string;
  readonly servedBy: string;
  /** `x-amz-cf-id`, by which AWS finds a request. */
  readonly requestId: string;
  /** `x-connection`: what the origin says of the connection it was asked on. */
  readonly xConnection: string;
  /** `server-timing`, as received. */
  readonly serverTiming: string;
}

/** The parts of a request that are summarised. */
const TIMING_PARTS = ['dnsMs', 'tcpMs', 'tlsMs', 'waitMs', 'firstByteMs', 'totalMs'] as const;
type TimingPart = (typeof TIMING_PARTS)[number];

/** Milliseconds. */
export interface PartSummary {
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

export interface TimingSummary {
  /** '': wherever DNS led. */
  readonly pop: string;
  readonly requests: number;
  /** Without an answer, or with one from status 400 on; their times are left out. */
  readonly failed: number;
  /** Failed requests by what went wrong: what stopped the request, or `status_404`. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Null: no request came to that part. */
  readonly parts: Readonly<Record<TimingPart, PartSummary | null>>;
}

export const isGood = ({ error, status }: Pick<TimingSample, 'error' | 'status'>) => error === null && status < 400;

function summarisePart(values: readonly number[]): PartSummary | null {
  if (values.length === 0) return null;
  const sorted = ascending(values);
  return { median: medianOf(sorted), p95: quantileOf(sorted, 0.95), max: quantileOf(sorted, 1) };
}

function countReasons(samples: readonly TimingSample[]): Readonly<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const sample of samples) {
    if (isGood(sample)) continue;
    const reason = sample.error ?? `status_${sample.status}`;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
}

/** Median, 95th percentile and maximum per POP, in the order in which POPs appear. */
export function summariseTiming(samples: readonly TimingSample[]): readonly TimingSummary[] {
  const byPop = Map.groupBy(samples, ({ pop }) => pop);
  return [...byPop].map(([pop, ofPop]) => {
    const good = ofPop.filter(isGood);
    const parts = TIMING_PARTS.map((part) => [part, summarisePart(good.map((sample) => sample[part]).filter((ms) => ms >= 0))]);
    return {
      pop,
      requests: ofPop.length,
      failed: ofPop.length - good.length,
      reasons: countReasons(ofPop),
      parts: Object.fromEntries(parts) as TimingSummary['parts'],
    };
  });
}

/** What was gained at a POP between two measurements of the same kind. */
export interface TimingGain {
  readonly pop: string;
  /** Median, milliseconds. */
  readonly firstByteBefore: number;
  readonly firstByteAfter: number;
  readonly waitBefore: number;
  readonly waitAfter: number;
}

/** Of the POPs that both measurements have good answers of. */
export function compareTiming(before: readonly TimingSummary[], after: readonly TimingSummary[]): readonly TimingGain[] {
  return after.flatMap(({ pop, parts }) => {
    const earlier = before.find((summary) => summary.pop === pop)?.parts;
    if (!earlier?.firstByteMs || !earlier.waitMs || !parts.firstByteMs || !parts.waitMs) return [];
    return [
      {
        pop,
        firstByteBefore: earlier.firstByteMs.median,
        firstByteAfter: parts.firstByteMs.median,
        waitBefore: earlier.waitMs.median,
        waitAfter: parts.waitMs.median,
      },
    ];
  });
}
