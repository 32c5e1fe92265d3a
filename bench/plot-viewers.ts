import { ascending, medianOf } from '../core/quantile.ts';
interface ViewerSeries {
  readonly name: string;
  readonly color: string;
  readonly requests: readonly { readonly atMs: number; readonly firstByteMs: number }[];
}

export interface ViewerPlot {
  readonly title: string;
  readonly endMs: number;
  readonly series: readonly ViewerSeries[];
}

const WIDTH = 860;
const HEIGHT = 360;
const LEFT = 60;
const RIGHT = 20;
const TOP = 64;
const BOTTOM = 44;
const TICKS = 6;

const round = (value: number) => Math.round(value * 10) / 10;
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** A dot per request over time, and each series' median as a line. SVG without scripts or fonts of its own. */
export function plotViewers({ title, endMs, series }: ViewerPlot): string {
  const most = Math.max(...series.flatMap(({ requests }) => requests.map(({ firstByteMs }) => firstByteMs)));
  const top = Math.ceil(most / 100) * 100;
  const x = (ms: number) => round(LEFT + (ms / endMs) * (WIDTH - LEFT - RIGHT));
  const y = (ms: number) => round(HEIGHT - BOTTOM - (ms / top) * (HEIGHT - TOP - BOTTOM));
  const ticks = Array.from({ length: TICKS + 1 }, (_, nth) => nth / TICKS);
  const grid = ticks.map((share) => {
    const ms = Math.round(share * top);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(ms)}" y2="${y(ms)}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y(ms) + 4}" text-anchor="end">${ms}</text>`;
  });
  const minutes = ticks.map((share) => {
    const ms = share * endMs;
    return `<text x="${x(ms)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${Math.round(ms / 60_000)}</text>`;
  });
  const drawn = series.map(({ name, color, requests }, nth) => {
    const median = medianOf(ascending(requests.map(({ firstByteMs }) => firstByteMs)));
    const dots = requests.map(({ atMs, firstByteMs }) => `<circle cx="${x(atMs)}" cy="${y(firstByteMs)}" r="3.5"/>`).join('');
    const line = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(median)}" y2="${y(median)}" stroke="${color}" stroke-dasharray="6 4"/>`;
    const legend = `<circle cx="${LEFT + 6 + nth * 400}" cy="44" r="5"/><text x="${LEFT + 18 + nth * 400}" y="48" fill="#222">${escaped(name)}: median ${Math.round(median)} ms</text>`;
    return `<g fill="${color}" fill-opacity="0.75">${dots}${line}${legend}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222" role="img">
<title>${escaped(title)}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="24" font-size="15">${escaped(title)}</text>
${grid.join('\n')}
${minutes.join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">minutes</text>
<text x="16" y="${(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(TOP + HEIGHT - BOTTOM) / 2})">first byte, ms</text>
${drawn.join('\n')}
</svg>
`;
}
