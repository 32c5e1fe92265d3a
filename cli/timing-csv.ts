import { readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { summariseTiming, type TimingSummary } from '../core/timing/summarise-timing.ts';
import type { TimingSample } from '../core/timing/timing-sample.ts';

/** A sample as scripts get it, as a JSON object or a CSV row: times in milliseconds, '' or null where there is none. */
export function viewSample(sample: TimingSample) {
  const ms = (value: number) => (value < 0 ? null : Math.round(value * 1000) / 1000);
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
  };
}

type Column = keyof ReturnType<typeof viewSample>;
const NEEDED: readonly Column[] = ['pop', 'error', 'status', 'dns_ms', 'tcp_ms', 'tls_ms', 'wait_ms', 'first_byte_ms', 'total_ms'];

/** The head is written with the first row. */
export function formatCsvRow(sample: TimingSample, isFirst: boolean): string {
  return stringify([viewSample(sample)], { header: isFirst });
}

type Row = Readonly<Record<string, string>>;

function sampleOf(row: Row): TimingSample {
  const of = (column: Column) => row[column] ?? '';
  const ms = (column: Column) => (of(column) === '' ? -1 : Number(of(column)));
  return {
    at: 0,
    url: of('url'),
    pop: of('pop'),
    address: of('address'),
    error: of('error') === '' ? null : 'connection',
    detail: '',
    status: Number(of('status')),
    dnsMs: ms('dns_ms'),
    tcpMs: ms('tcp_ms'),
    tlsMs: ms('tls_ms'),
    waitMs: ms('wait_ms'),
    firstByteMs: ms('first_byte_ms'),
    totalMs: ms('total_ms'),
    bytes: 0,
    xCache: '',
    servedBy: '',
    requestId: '',
    xConnection: '',
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
