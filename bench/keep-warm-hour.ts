import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Hour, HOUR_MS, simulateHour, type ViewerRequest } from '../testing/model-hour.ts';
import { roundTripMs } from '../simulator/round-trip-ms.ts';
import { markdownTable } from './figures.ts';
import { plotViewers } from './plot-viewers.ts';
import { replaceSection } from './replace-section.ts';
import { ascending, quantileOf } from '../core/quantile.ts';

/**
 * A program of its own: simulates an hour of sparse viewers with and without keep-warm, and writes the table into docs/keep-warm.md and
 * the plot beside it. The same seed gives the same files.
 */
const DOC = fileURLToPath(new URL('../docs/keep-warm.md', import.meta.url));
const PLOT = fileURLToPath(new URL('../docs/keep-warm.svg', import.meta.url));
const PLOTTED_POP = 'HKG62-C1';

const HOUR: Hour = {
  seed: 20_261_121,
  pops: [PLOTTED_POP, 'SYD62-P1', 'GRU3-P1', 'SIN2-P1', 'IAD89-P1', 'LHR61-P3'],
  origin: 'FRA',
  from: 'IAD',
  servers: 4,
  viewerEveryMs: 60_000,
  idleMs: 5000,
  tlsRoundTrips: 1,
  keepWarm: null,
};
const SPAN_MS = 55_000;

const SCENES: readonly { readonly title: string; readonly hour: Hour }[] = [
  { title: 'nothing, 5 s', hour: HOUR },
  { title: 'nothing, 60 s', hour: { ...HOUR, idleMs: 60_000 } },
  { title: '60 a minute, 5 s', hour: { ...HOUR, keepWarm: { perMinute: 60, spanMs: SPAN_MS } } },
  { title: '8 a minute, 60 s', hour: { ...HOUR, idleMs: 60_000, keepWarm: { perMinute: 8, spanMs: SPAN_MS } } },
  { title: '60 a minute, 60 s', hour: { ...HOUR, idleMs: 60_000, keepWarm: { perMinute: 60, spanMs: SPAN_MS } } },
];

const quantile = (seen: readonly ViewerRequest[], share: number) =>
  quantileOf(ascending(seen.map(({ firstByteMs }) => firstByteMs)), share);

function cell(seen: readonly ViewerRequest[]): string {
  const fresh = seen.filter(({ connection }) => connection === 'new').length;
  return `${Math.round(quantile(seen, 0.5))} / ${Math.round(quantile(seen, 0.95))} (${Math.round((fresh / seen.length) * 100)} %)`;
}

const results = await Promise.all(SCENES.map(async ({ title, hour }) => ({ title, seen: await simulateHour(hour) })));
const rows = HOUR.pops.map((pop) => {
  const ofPop = results.map(({ seen }) => seen.filter((request) => request.pop === pop));
  return [pop, Math.round(roundTripMs(pop, HOUR.origin)), ofPop[0]?.length ?? 0, ...ofPop.map(cell)];
});
const all = ['all', '', results[0]?.seen.length ?? 0, ...results.map(({ seen }) => cell(seen))];
const table = markdownTable(['POP', 'round trip, ms', 'viewers', ...results.map(({ title }) => title)], [...rows, all]);
await replaceSection(DOC, 'hour', table);

const without = results[0]?.seen ?? [];
const best = results.at(-1)?.seen ?? [];
const ofPlotted = (seen: readonly ViewerRequest[]) => seen.filter(({ pop }) => pop === PLOTTED_POP);
const svg = plotViewers({
  title: `First byte of sparse viewers at ${PLOTTED_POP}, origin in Frankfurt, an hour`,
  endMs: HOUR_MS,
  series: [
    { name: 'nothing kept warm, keep-alive 5 s', color: '#b3400e', requests: ofPlotted(without) },
    { name: '60 requests a minute, keep-alive 60 s', color: '#0b6e4f', requests: ofPlotted(best) },
  ],
});
await writeFile(PLOT, svg);
process.stdout.write(table);
