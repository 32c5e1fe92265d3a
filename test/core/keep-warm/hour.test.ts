import { describe, expect, test } from 'vitest';
import { createOriginConnections } from '../../../simulator/origin-connections.ts';
import { roundTripMs } from '../../../simulator/round-trip-ms.ts';
import { type Hour, simulateHour, type ViewerRequest } from '../../../testing/model-hour.ts';
import { ascending, quantileOf } from '../../../core/quantile.ts';

const HOUR: Hour = {
  seed: 7,
  pops: ['HKG62-C1', 'IAD89-P1'],
  origin: 'FRA',
  from: 'IAD',
  servers: 4,
  viewerEveryMs: 60_000,
  idleMs: 60_000,
  tlsRoundTrips: 1,
  keepWarm: null,
};
const ROUND_TRIP_MS = roundTripMs('HKG62-C1', 'FRA');

const newShare = (seen: readonly ViewerRequest[]) => seen.filter(({ connection }) => connection === 'new').length / seen.length;
const medianOf = (seen: readonly ViewerRequest[]) => quantileOf(ascending(seen.map(({ firstByteMs }) => firstByteMs)), 0.5);
const ofHongKong = (seen: readonly ViewerRequest[]) => seen.filter(({ pop }) => pop === 'HKG62-C1');

describe('connections to the origin', () => {
  test('connections to the origin are reused, youngest first, until they have been idle for too long', () => {
    let now = 0;
    const connections = createOriginConnections({ idleMs: 5000, tlsRoundTrips: 2 }, () => now);
    expect(connections.take()).toEqual({ kind: 'new', handshakes: 3 });
    expect(connections.take()).toEqual({ kind: 'new', handshakes: 3 });
    connections.giveBack();
    now = 4999;
    connections.giveBack();
    now = 5001;
    expect(connections.take()).toEqual({ kind: 'reused', handshakes: 0 });
    expect(connections.take()).toEqual({ kind: 'new', handshakes: 3 });
  });

  test('a connection to the origin costs what the distance says: Hong Kong to Frankfurt about 185 ms, within a city next to nothing', () => {
    expect(ROUND_TRIP_MS).toBeGreaterThan(175);
    expect(ROUND_TRIP_MS).toBeLessThan(195);
    expect(roundTripMs('FRA56-P4', 'FRA')).toBe(2);
    expect(() => roundTripMs('ZZZ1-C1', 'FRA')).toThrow(RangeError);
  });
});

describe('an hour of sparse viewers', () => {
  test('a simulated hour is the same for the same seed, and has other viewers for another seed', async () => {
    const [one, again, other] = await Promise.all([simulateHour(HOUR), simulateHour(HOUR), simulateHour({ ...HOUR, seed: 8 })]);
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(ofHongKong(one).length).toBeGreaterThan(30);
  });

  test('an hour with enough requests a minute for each server finds every connection open and saves a third of the time', async () => {
    const cold = ofHongKong(await simulateHour(HOUR));
    const warm = ofHongKong(await simulateHour({ ...HOUR, keepWarm: { perMinute: 12, spanMs: 55_000 } }));
    expect(warm.map(({ atMs }) => atMs)).toEqual(cold.map(({ atMs }) => atMs));
    expect(newShare(cold)).toBeGreaterThan(0.5);
    // Whoever comes while the only connection of a server is in use opens another.
    expect(newShare(warm)).toBeLessThan(0.1);
    expect(medianOf(cold) - medianOf(warm)).toBeGreaterThan(1.9 * ROUND_TRIP_MS);
  });

  test('an hour finds connections closed if they end sooner than the next request comes', async () => {
    const few = ofHongKong(await simulateHour({ ...HOUR, idleMs: 5000, keepWarm: { perMinute: 12, spanMs: 60_000 } }));
    const enough = ofHongKong(await simulateHour({ ...HOUR, idleMs: 5000, keepWarm: { perMinute: 60, spanMs: 60_000 } }));
    expect(newShare(few)).toBeGreaterThan(0.5);
    expect(newShare(enough)).toBeLessThan(0.1);
  });

  test('each minute ends with a gap if requests end after 55 seconds, and five seconds of keep-alive do not bridge it', async () => {
    const hour: Hour = { ...HOUR, viewerEveryMs: 5000, idleMs: 5000 };
    const whole = ofHongKong(await simulateHour({ ...hour, keepWarm: { perMinute: 60, spanMs: 60_000 } }));
    const short = ofHongKong(await simulateHour({ ...hour, keepWarm: { perMinute: 60, spanMs: 55_000 } }));
    expect(newShare(short)).toBeGreaterThan(newShare(whole));
  });
});
