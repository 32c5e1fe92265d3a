import { crc32 } from 'node:zlib';
import type { EdgeClock } from './edge-clock.ts';
import { newOriginTraffic, type OriginTraffic, type TrafficMap, trafficOf } from './traffic.ts';
import { type AnswerMeta, bytesOnTheWay, type Opened, type Source, type Upstream, type Want } from './upstream.ts';

/** What the origin has at a path. */
export interface OriginObject {
  /** Bytes. */
  readonly size: number;
  /** Default: none sent. */
  readonly cacheControl?: string;
  readonly contentType?: string;
  /** With its quotes; '' sends none. Default: made from path and size. */
  readonly etag?: string;
  /** A name only: the bytes are the same with and without it. */
  readonly contentEncoding?: string;
  /** No content-length, and ranges are answered by the whole object. */
  readonly chunked?: boolean;
  /** Default 200. */
  readonly status?: number;
  readonly location?: string;
  /** `Server-Timing` of the origin's own. */
  readonly serverTiming?: string;
}

const UNITS: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `/o/<size>/<name>`: an object of that many bytes, `64k`, `10m` and `1g` included; null for any other path. */
export function objectBySize(path: string): OriginObject | null {
  const match = /^\/o\/(\d{1,12})([kmg]?)\/./.exec(path);
  return match === null ? null : { size: Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1) };
}

const NOT_FOUND: OriginObject = { size: 9, status: 404, contentType: 'text/plain', etag: '' };

/** What the origin answers for a path, headers only. */
export function describeObject(path: string, objects: OriginOptions['objects']): AnswerMeta {
  const object = objects(path) ?? NOT_FOUND;
  return {
    status: object.status ?? 200,
    size: object.size,
    etag: object.etag ?? `"${object.size.toString(16)}-${crc32(path).toString(16)}"`,
    cacheControl: object.cacheControl ?? '',
    contentType: object.contentType ?? 'application/octet-stream',
    contentEncoding: object.contentEncoding ?? '',
    location: object.location ?? '',
    chunked: object.chunked ?? false,
    ...(object.serverTiming === undefined ? {} : { headers: { 'server-timing': object.serverTiming } }),
  };
}

export interface OriginOptions {
  readonly objects: (path: string) => OriginObject | null;
  readonly latencyMs: number;
  readonly clock: EdgeClock;
  /** Filled per cache key. */
  readonly traffic: TrafficMap<OriginTraffic>;
}

const FROM_ORIGIN: Source = { layer: 'origin', refreshed: false, askedBy: null, connectMs: 0 };

/** The origin as the regional edge caches see it: conditional requests and ranges are answered, each request is counted. */
export function createOrigin({ objects, latencyMs, clock, traffic }: OriginOptions): Upstream {
  const look = async (want: Want) => {
    if (latencyMs > 0) await clock.wait(latencyMs);
    return { meta: describeObject(want.object, objects), found: 'miss', source: FROM_ORIGIN, fetchedAt: clock.now() } as const;
  };
  return {
    async open(want) {
      const counted = trafficOf(traffic, want.key, newOriginTraffic);
      const looked = await look(want);
      const notModified = want.ifNoneMatch !== null && want.ifNoneMatch === looked.meta.etag;
      const sends = want.range === null || looked.meta.chunked || looked.meta.status !== 200 ? 'whole' : 'range';
      if (notModified) counted.revalidations++;
      else if (sends === 'range') counted.ranges++;
      else counted.fetches++;
      const opened: Opened = {
        ...looked,
        notModified,
        sends,
        settle(delivered) {
          if (delivered) counted.bodyBytes += bytesOnTheWay(opened, want);
          return () => undefined;
        },
      };
      return opened;
    },
    async head(want) {
      trafficOf(traffic, want.key, newOriginTraffic).heads++;
      return await look(want);
    },
  };
}
