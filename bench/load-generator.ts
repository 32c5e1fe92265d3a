import { Pool } from 'undici';

/**
 * A process of its own: asks `url` over so many connections, each again as soon as it is answered, for so many seconds.
 * Arguments: url, key, connections, seconds. Writes one JSON object of LoadFigures; any answer but 200 is an error.
 */
export interface LoadFigures {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

const [target = '', key = '', connections = '1', seconds = '1'] = process.argv.slice(2);
const url = new URL(target);
const pool = new Pool(url.origin, { connections: Number(connections) });
const times: number[] = [];
const start = performance.now();
const end = start + Number(seconds) * 1000;

async function askUntilEnd(): Promise<void> {
  const path = url.pathname + url.search;
  for (let now = performance.now(); now < end; ) {
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { 'x-api-key': key } });
    await body.dump();
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    const then = performance.now();
    times.push(then - now);
    now = then;
  }
}

await Promise.all(Array.from({ length: Number(connections) }, askUntilEnd));
const elapsed = (performance.now() - start) / 1000;
await pool.close();
times.sort((a, b) => a - b);
const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
const figures: LoadFigures = { perSecond: times.length / elapsed, median: at(0.5), p99: at(0.99), longest: at(1) };
process.stdout.write(`${JSON.stringify(figures)}\n`);
