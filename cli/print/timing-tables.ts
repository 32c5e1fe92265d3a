import { plainText } from '../../core/plain-text.ts';
import type { PartSummary, TimingGain, TimingSample, TimingSummary } from '../../core/timing/summarise-timing.ts';
import { readServerTiming } from '../../core/work/server-timing.ts';
import { formatMilliseconds } from './quantities.ts';
import { wrapWords } from './screen.ts';
import { fitColumns, formatTable, type TableColumn } from './text-table.ts';

const seconds = (ms: number) => (ms / 1000).toFixed(6);

/**
 * One request in the form that `curl --write-out` is mostly used with: seconds from the start, each step including those before it
 * (a step that was not needed ends with the one before; without TLS appconnect is 0), then the size. What only an edge tells follows.
 */
export function formatTimingLine(sample: TimingSample): string {
  const { dnsMs, tcpMs, tlsMs, waitMs, firstByteMs, totalMs, status, bytes } = sample;
  const { layer, upstreamLayer, upstreamConnectMs } = readServerTiming(sample.serverTiming, sample.requestId);
  const told = [
    ['pop', sample.pop],
    ['address', sample.address],
    ['x-cache', sample.xCache],
    ['x-amz-cf-pop', sample.servedBy],
    ['x-amz-cf-id', sample.requestId],
    ['x-connection', sample.xConnection],
    ['layer', layer === 'unknown' ? '' : layer],
    ['upstream-layer', upstreamLayer ?? ''],
    ['upstream-connect', upstreamConnectMs < 0 ? '' : seconds(upstreamConnectMs)],
  ].flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${plainText(value ?? '')}`]));
  if (sample.error !== null)
    return [`error: ${sample.error}: ${plainText(sample.detail)}`, `total: ${seconds(totalMs)}`, ...told].join(' | ');
  const dns = Math.max(0, dnsMs);
  const connected = dns + Math.max(0, tcpMs);
  const steps = [
    `dnslookup: ${seconds(dns)}`,
    `connect: ${seconds(connected)}`,
    `appconnect: ${seconds(tlsMs < 0 ? 0 : connected + tlsMs)}`,
    `pretransfer: ${seconds(firstByteMs - waitMs)}`,
    `starttransfer: ${seconds(firstByteMs)}`,
    `total: ${seconds(totalMs)}`,
    `size: ${bytes}`,
    `status: ${status}`,
  ];
  return [...steps, ...told].join(' | ');
}

const FIGURES = { median: 'median', p95: 'p95', max: 'max' } as const;
type Figure = keyof typeof FIGURES;

/** `120 / 180 / 200`: as many of the figures as there is room for. */
const spread = (part: PartSummary | null, figures: readonly Figure[]) =>
  part === null ? '' : figures.map((figure) => formatMilliseconds(part[figure])).join(' / ');

const nameOf = (pop: string) => (pop === '' ? 'by DNS' : pop);

/** Steps of a request by heading; the ones with a high rank leave first where there is no room for all. */
const STEPS = [
  { head: 'DNS', part: 'dnsMs', rank: 4 },
  { head: 'TCP', part: 'tcpMs', rank: 5 },
  { head: 'TLS', part: 'tlsMs', rank: 3 },
  { head: 'Wait', part: 'waitMs', rank: 1 },
  { head: 'First byte', part: 'firstByteMs' },
  { head: 'Total', part: 'totalMs', rank: 2 },
] as const;

function summaryColumns(summaries: readonly TimingSummary[], figures: readonly Figure[]): readonly TableColumn[] {
  return [
    { head: 'POP', cells: summaries.map(({ pop }) => nameOf(pop)), isText: true },
    { head: 'Requests', cells: summaries.map(({ requests }) => String(requests)) },
    { head: 'Failed', cells: summaries.map(({ failed }) => String(failed)) },
    ...STEPS.map(({ part, ...step }) => ({ ...step, cells: summaries.map(({ parts }) => spread(parts[part], figures)) })),
    { head: 'Failed because', cells: summaries.map(({ reasons }) => formatReasons(reasons)), isText: true, rank: 0 },
  ];
}

const formatReasons = (reasons: TimingSummary['reasons']) =>
  Object.entries(reasons)
    .map(([reason, count]) => (count === 1 ? reason : `${reason} ${count}`))
    .join(', ');

const CHOICES: readonly (readonly Figure[])[] = [['median', 'p95', 'max'], ['median', 'p95'], ['median']];

/** Median, 95th percentile and maximum of each part, by POP, as far as there is room. Ends with a line end. */
export function formatTimingSummary(summaries: readonly TimingSummary[], width: number): string {
  const hasRoom = (figures: readonly Figure[]) => {
    const columns = summaryColumns(summaries, figures);
    const filled = columns.filter(({ cells, rank }) => rank === undefined || cells.some((cell) => cell !== ''));
    return fitColumns(columns, width).length === filled.length;
  };
  const figures = CHOICES.find(hasRoom) ?? ['median'];
  const legend = `Milliseconds, ${figures.map((figure) => FIGURES[figure]).join(' / ')}. Wait: from sending the request; first byte and total: from the very start.`;
  return `${formatTable(summaryColumns(summaries, figures), width)}\n${wrapWords(legend, width)}\n`;
}

function change(before: number, after: number): string {
  const gain = before - after;
  const share = before === 0 ? 0 : (gain / before) * 100;
  return `${gain >= 0 ? '-' : '+'}${formatMilliseconds(Math.abs(gain))} (${gain >= 0 ? '-' : '+'}${Math.abs(share).toFixed(0)} %)`;
}

/** What was gained against an earlier measurement. Ends with a line end. */
export function formatTimingGain(gains: readonly TimingGain[], width: number): string {
  if (gains.length === 0) return 'Nothing to compare: no POP has good answers in both measurements.\n';
  const cellsOf = (cell: (gain: TimingGain) => string) => gains.map(cell);
  const columns = [
    { head: 'POP', cells: cellsOf(({ pop }) => nameOf(pop)), isText: true },
    { head: 'First byte before', cells: cellsOf((gain) => formatMilliseconds(gain.firstByteBefore)) },
    { head: 'now', cells: cellsOf((gain) => formatMilliseconds(gain.firstByteAfter)) },
    { head: 'change', cells: cellsOf((gain) => change(gain.firstByteBefore, gain.firstByteAfter)) },
    { head: 'Wait before', cells: cellsOf((gain) => formatMilliseconds(gain.waitBefore)), rank: 1 },
    { head: 'now', cells: cellsOf((gain) => formatMilliseconds(gain.waitAfter)), rank: 1 },
    { head: 'change', cells: cellsOf((gain) => change(gain.waitBefore, gain.waitAfter)), rank: 1 },
  ];
  return `${formatTable(columns, width)}\nMedians, milliseconds.\n`;
}
