import { assert as holds, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readServerTiming } from '../../../core/work/server-timing.ts';

const HIT = 'cdn-cache-hit,cdn-pop;desc="SEA19-C1",cdn-rid;desc="rid-1==",cdn-hit-layer;desc="REC",cdn-downstream-fbl;dur=137';
const MISS =
  'cdn-upstream-layer;desc="REC",cdn-upstream-dns;dur=0,cdn-upstream-connect;dur=114,cdn-upstream-fbl;dur=177,cdn-cache-miss,db;dur=12,cdn-pop;desc="FRA56-P4",cdn-rid;desc="rid-2==",cdn-downstream-fbl;dur=178';

const LAYERS = ['edge', 'regional', 'shield', 'origin', 'unknown'];

const layerOf = (header: string, id = '') => readServerTiming(header, id).layer;
const hitAt = (layer: string) => HIT.replace('REC', layer);

describe('Server-Timing', () => {
  test('Server-Timing names the layer whose cache answered', () => {
    expect(layerOf(hitAt('EDGE'))).toBe('edge');
    expect(layerOf(HIT)).toBe('regional');
    expect(layerOf(hitAt('Origin Shield'))).toBe('shield');
    expect(layerOf(hitAt('MOON'))).toBe('unknown');
    expect(layerOf(hitAt('EDGE').replace('cdn-cache-hit', 'cdn-cache-refresh'))).toBe('edge');
  });

  test('Server-Timing of a miss names the layer that asked the origin, and how long its connection took', () => {
    expect(readServerTiming(MISS, 'rid-2==')).toEqual({ layer: 'origin', upstreamLayer: 'regional', upstreamConnectMs: 114 });
    const reused = MISS.replace('dur=114', 'dur=0').replace('REC', 'EDGE');
    expect(readServerTiming(reused, 'rid-2==')).toEqual({ layer: 'origin', upstreamLayer: 'edge', upstreamConnectMs: 0 });
  });

  test('Server-Timing gives no layer where it is absent, or where it holds the origin’s own entries only', () => {
    const silent = { layer: 'unknown', upstreamLayer: null, upstreamConnectMs: -1 };
    expect(readServerTiming('', '')).toEqual(silent);
    expect(readServerTiming('db;dur=53, cache;desc="cdn-cache-hit,cdn-hit-layer;desc=EDGE";dur=1', '')).toEqual(silent);
    expect(readServerTiming(',,;;=,"', '')).toEqual(silent);
  });

  test('Server-Timing is read in any order and letter case, with values after a mere equals sign, and with blanks', () => {
    expect(layerOf('CDN-Hit-Layer ; DESC = "EDGE" , x;dur=1, Cdn-Cache-Hit')).toBe('edge');
    expect(readServerTiming('cdn-cache-miss, cdn-upstream-layer="Origin Shield", cdn-upstream-connect=7.5', '')).toEqual({
      layer: 'origin',
      upstreamLayer: 'shield',
      upstreamConnectMs: 7.5,
    });
  });

  test('Server-Timing that calls an answer both a hit and a miss, or neither, leaves the layer unknown', () => {
    expect(layerOf('cdn-hit-layer;desc="EDGE",cdn-pop;desc="FRA56-P4"')).toBe('unknown');
    expect(layerOf('cdn-cache-hit,cdn-cache-miss,cdn-hit-layer;desc="EDGE"')).toBe('unknown');
    expect(layerOf('cdn-cache-miss,cdn-hit-layer;desc="EDGE",cdn-cache-hit,cdn-rid;desc="rid-1=="', 'rid-1==')).toBe('unknown');
    expect(layerOf('cdn-cache-hit,cdn-hit-layer;desc="EDGE",cdn-cache-hit')).toBe('edge');
  });

  test('Server-Timing of an origin behind another network names that network’s outcome, which says nothing of CloudFront’s', () => {
    const others = 'cdn-cache; desc=HIT, edge; dur=1, cdn-cache;desc=MISS, cdn-cache-status;desc=hit';
    expect(layerOf(MISS.replace('cdn-cache-miss', `cdn-cache-miss,${others}`))).toBe('origin');
    expect(layerOf(`${hitAt('EDGE')},${others}`)).toBe('edge');
    expect(layerOf(others)).toBe('unknown');
  });

  test('Server-Timing of two distributions in a row counts by the request’s id, and without one the last counts', () => {
    const inner = hitAt('EDGE');
    for (const both of [`${inner},${MISS}`, `${MISS},${inner}`]) {
      expect(readServerTiming(both, 'rid-1==')).toEqual({ layer: 'edge', upstreamLayer: null, upstreamConnectMs: -1 });
      expect(readServerTiming(both, 'rid-2==')).toEqual({ layer: 'origin', upstreamLayer: 'regional', upstreamConnectMs: 114 });
    }
    expect(layerOf(`${inner},${MISS}`)).toBe('origin');
    expect(layerOf(`${MISS},${inner}`, 'of another')).toBe('edge');
  });

  test('Server-Timing of 20 KB is read for its first 16 KB', () => {
    const filler = `${'x'.repeat(9)},`;
    expect(layerOf(`${filler.repeat(1000)}${HIT}`)).toBe('regional');
    expect(layerOf(`${filler.repeat(2000)}${HIT}`)).toBe('unknown');
    expect(layerOf(`${HIT},${filler.repeat(2000)}`)).toBe('regional');
  });

  test('Server-Timing may be any text, and names a layer or none', () => {
    holds(
      property(string({ unit: 'binary', maxLength: 200 }), string({ unit: 'grapheme-ascii', maxLength: 200 }), (binary, ascii) => {
        for (const text of [binary, ascii, `${ascii}${HIT}${binary}`]) expect(LAYERS).toContain(readServerTiming(text, ascii).layer);
      }),
    );
  });
});
