import { plainText } from '../core/plain-text.ts';
import type { PartSummary, TimingGain, TimingSummary } from '../core/timing/summarise-timing.ts';
import type { TimingSample } from '../core/timing/timing-sample.ts';
import { formatTable } from './pop-table.ts';
import { formatMilliseconds } from './quantities.ts';

const seconds = (ms: number) => (ms / 1000).toFixed(6);

/**
 * One request in the form that `curl --write-out` is mostly used with: seconds from the start, each step including those before it
 * (a step that was not needed ends with the one before; without TLS appconnect is 0), then the size. What only an edge tells follows.
 */
export function formatTimingLine(sample: TimingSample): string {
  const { dnsMs, tcpMs, tlsMs, waitMs, firstByteMs, totalMs, status, bytes } = sample;
  const told = [
    ['pop', sample.pop],
    ['address', sample.address],
    ['x-cache', sample.xCache],
    ['x-amz-cf-pop', sample.servedBy],
    ['x-amz-cf-id', sample.requestId],
    ['x-connection', sample.xConnection],
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

const spread = (part: PartSummary | null) => (part === null ? '' : [part.median, part.p95, part.max].map(formatMilliseconds).join(' / '));

/** Median, 95th percentile and maximum of each part, by POP. Ends with a line end. */
export function formatTimingSummary(summaries: readonly TimingSummary[]): string {
  const rows = summaries.map(({ pop, requests, failed, parts }) => [
    pop === '' ? 'by DNS' : pop,
    String(requests),
    String(failed),
    spread(parts.dnsMs),
    spread(parts.tcpMs),
    spread(parts.tlsMs),
    spread(parts.waitMs),
    spread(parts.firstByteMs),
    spread(parts.totalMs),
  ]);
  const head = ['POP', 'Requests', 'Failed', 'DNS', 'TCP', 'TLS', 'Wait', 'First byte', 'Total'];
  return `${formatTable(head, rows, 1)}\nMilliseconds, median / p95 / max. Wait: from sending the request; first byte and total: from the very start.\n`;
}

function change(before: number, after: number): string {
  const gain = before - after;
  const share = before === 0 ? 0 : (gain / before) * 100;
  return `${gain >= 0 ? '-' : '+'}${formatMilliseconds(Math.abs(gain))} (${gain >= 0 ? '-' : '+'}${Math.abs(share).toFixed(0)} %)`;
}

/** What was gained against an earlier measurement. Ends with a line end. */
export function formatTimingGain(gains: readonly TimingGain[]): string {
  if (gains.length === 0) return 'Nothing to compare: no POP has good answers in both measurements.\n';
  const rows = gains.map(({ pop, firstByteBefore, firstByteAfter, waitBefore, waitAfter }) => [
    pop === '' ? 'by DNS' : pop,
    formatMilliseconds(firstByteBefore),
    formatMilliseconds(firstByteAfter),
    change(firstByteBefore, firstByteAfter),
    formatMilliseconds(waitBefore),
    formatMilliseconds(waitAfter),
    change(waitBefore, waitAfter),
  ]);
  const head = ['POP', 'First byte before', 'now', 'change', 'Wait before', 'now', 'change'];
  return `${formatTable(head, rows, 1)}\nMedians, milliseconds.\n`;
}
