import { readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { plainText } from '../../core/plain-text.ts';
import {
  type PartSummary,
  summariseTiming,
  type TimingGain,
  type TimingSample,
  type TimingSummary,
} from '../../core/timing/summarise-timing.ts';
import { readServerTiming } from '../../core/work/server-timing.ts';

const rounded = (value: number) => Math.round(value * 1000) / 1000;
const ms = (value: number) => (value < 0 ? null : rounded(value));

/** A sample as scripts get it, as a JSON object or a CSV row: times in milliseconds, '' or null where there is none. */
export function viewSample(sample: TimingSample) {
  const { layer, upstreamLayer, upstreamConnectMs } = readServerTiming(sample.serverTiming, sample.requestId);
  return {
    at: new Date(sample.at).toISOString(),
    url: sample.url,
    pop: sample.pop,
    address: sample.address,
    error: sample.error,
    status: sample.status,
    dns_ms: ms(sample.dnsMs),
    tcp_ms: ms(sample.tcpMs),
    tls_ms: ms(sample.tlsMs),
    wait_ms: ms(sample.waitMs),
    first_byte_ms: ms(sample.firstByteMs),
    total_ms: ms(sample.totalMs),
    bytes: sample.bytes,
    x_cache: sample.xCache,
    x_amz_cf_pop: sample.servedBy,
    x_amz_cf_id: sample.requestId,
    x_connection: sample.xConnection,
    detail: sample.detail,
    hit_layer: layer,
    upstream_layer: upstreamLayer,
    upstream_connect_ms: ms(upstreamConnectMs),
  };
}

const viewPart = (part: PartSummary | null) =>
  part === null ? null : { median: rounded(part.median), p95: rounded(part.p95), max: rounded(part.max) };

/** The summary of a POP as scripts get it, by the names of a sample's times. */
export function viewSummary({ pop, requests, failed, parts }: TimingSummary) {
  return {
    pop,
    requests,
    failed,
    dns_ms: viewPart(parts.dnsMs),
    tcp_ms: viewPart(parts.tcpMs),
    tls_ms: viewPart(parts.tlsMs),
    wait_ms: viewPart(parts.waitMs),
    first_byte_ms: viewPart(parts.firstByteMs),
    total_ms: viewPart(parts.totalMs),
  };
}

/** Medians before and after, as scripts get them. */
export function viewGain({ pop, firstByteBefore, firstByteAfter, waitBefore, waitAfter }: TimingGain) {
  return {
    pop,
    first_byte_before_ms: rounded(firstByteBefore),
    first_byte_after_ms: rounded(firstByteAfter),
    wait_before_ms: rounded(waitBefore),
    wait_after_ms: rounded(waitAfter),
  };
}

type Column = keyof ReturnType<typeof viewSample>;
const NEEDED: readonly Column[] = ['pop', 'error', 'status', 'dns_ms', 'tcp_ms', 'tls_ms', 'wait_ms', 'first_byte_ms', 'total_ms'];

/** The head is written with the first row. A text of the edge that a spreadsheet would take for a formula gets a leading apostrophe. */
export function formatCsvRow(sample: TimingSample, isFirst: boolean): string {
  const view = Object.fromEntries(
    Object.entries(viewSample(sample)).map(([name, value]) => [name, typeof value === 'string' ? plainText(value) : value]),
  );
  return stringify([view], { header: isFirst, escape_formulas: true });
}

type Row = Readonly<Record<string, string>>;

function sampleOf(row: Row): TimingSample {
  const of = (column: Column) => row[column] ?? '';
  const time = (column: Column) => (of(column) === '' ? -1 : Number(of(column)));
  return {
    at: 0,
    url: of('url'),
    pop: of('pop'),
    address: of('address'),
    error: of('error') === '' ? null : 'connection',
    detail: '',
    status: Number(of('status')),
    dnsMs: time('dns_ms'),
    tcpMs: time('tcp_ms'),
    tlsMs: time('tls_ms'),
    waitMs: time('wait_ms'),
    firstByteMs: time('first_byte_ms'),
    totalMs: time('total_ms'),
    bytes: 0,
    xCache: '',
    servedBy: '',
    requestId: '',
    xConnection: '',
    serverTiming: '',
  };
}

/** What an earlier measurement found, from the CSV that it printed. Null with a fault where it is none. */
export function readTimingCsv(path: string, flag: string, faults: InputFault[]): readonly TimingSummary[] | null {
  let rows: readonly Row[];
  try {
    rows = parse<Row>(readFileSync(path), { columns: true, bom: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = error instanceof CsvError ? `is not CSV (${message})` : `cannot be read (${code})`;
    faults.push(inputFault(flag, path, `${what}; name a file that prewarm timing --csv printed`));
    return null;
  }
  const missing = NEEDED.filter((column) => rows[0]?.[column] === undefined);
  if (missing.length > 0) {
    const what = rows.length === 0 ? 'holds no measurement' : `lacks the columns ${missing.join(', ')}`;
    faults.push(inputFault(flag, path, `${what}; name a file that prewarm timing --csv printed`));
    return null;
  }
  const wrong = rows.findIndex((row) => NEEDED.slice(2).some((column) => !/^(\d+(\.\d+)?)?$/.test(row[column] ?? '')));
  if (wrong >= 0) {
    faults.push(inputFault(flag, path, `has a row whose times are no numbers; name a file that prewarm timing --csv printed`, wrong + 2));
    return null;
  }
  return summariseTiming(rows.map(sampleOf));
}
