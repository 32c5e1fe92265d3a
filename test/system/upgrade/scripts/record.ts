import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type * as DynamoRows from '../../../../adapters/aws/dynamo-rows.ts';
import type * as ListStores from '../../../../adapters/aws/s3-list-store.ts';
import type * as Databases from '../../../../adapters/embedded/database.ts';
import type * as Stores from '../../../../adapters/embedded/embedded-stores.ts';
import type * as RequestRows from '../../../../adapters/embedded/request-rows.ts';
import type * as Clocks from '../../../../core/clock.ts';
import type { Counters } from '../../../../core/work/counters.ts';
import type * as Reports from '../../../../core/report/report-request.ts';
import type * as Records from '../../../../core/work/record-task.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../../../simulator/simulated-edge.ts';
import { until } from '../../../../testing/until.ts';

// Records what a version of the program leaves on disk and in AWS. `README.md` beside this folder says how to call it.

const [program = '', version = ''] = process.argv.slice(2);
if (program === '' || version === '') {
  process.stderr.write('usage: node test/system/upgrade/scripts/record.ts FOLDER_OF_THE_PROGRAM VERSION\n');
  process.exit(2);
}
const KEY = 'the-key-of-the-recording';
const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU3-P1', 'NRT20-P1', 'DFW55-P3', 'LHR62-C2'];
/** It stands in no edge map, so it never resolves. */
const LOST_POP = 'SYD62-P1';
const main = join(resolve(program), 'cli/main.ts');
const recordings = resolve(import.meta.dirname, '..', 'recordings', version);
const work = mkdtempSync(join(tmpdir(), 'prewarm-record-'));

interface Started {
  stdout(): string;
  /** SIGKILL for the program and its agents at once. */
  kill(): Promise<void>;
}

function start(args: readonly string[]): Started {
  const child = spawn(process.execPath, [main, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PREWARM_API_KEY: KEY },
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const exited = new Promise<void>((done) => {
    child.once('exit', () => done());
  });
  return {
    stdout: () => stdout,
    kill: async () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await exited;
    },
  };
}

const urls = (edge: SimulatedEdge, name: string, count: number) =>
  Array.from({ length: count }, (_, n) => `https://${edge.host}/o/1k/${name}-${n}`);

/** What answers hold that another moment answers otherwise. */
const MOMENTARY = ['timestamp', 'failure_pop_urls_report'];

async function ask(
  url: string,
  path: string,
  init: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Record<string, unknown>> {
  const headers = { 'x-api-key': KEY, ...init.headers };
  const answer = await fetch(url + path, { ...init, headers });
  const body = (await answer.json()) as Record<string, unknown>;
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`);
  return body;
}

async function submit(url: string, body: object, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask(url, '/prewarm', { method: 'POST', body: JSON.stringify(body), headers });
  return String(answer['request_id']);
}

const lasting = (answer: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(answer).filter(([name]) => !MOMENTARY.includes(name)));

/** What the API answers of an ended request. */
async function readEnded(url: string, id: string) {
  const summary = await ask(url, `/summary?req_id=${id}`);
  const failures = await (await fetch(String(summary['failure_pop_urls_report']))).text();
  return { progress: lasting(await ask(url, `/prewarm?req_id=${id}`)), summary: lasting(summary), failures };
}

async function recordServe(edge: SimulatedEdge, flags: readonly string[]) {
  const dataDir = join(work, 'serve');
  const served = start(['serve', '--json', '--port', '0', '--max-agents', '1', '--concurrency', '2', '--data-dir', dataDir, ...flags]);
  await until('the server', () => served.stdout().includes('\n'));
  const { url } = JSON.parse(served.stdout()) as { url: string };
  const statusOf = async (id: string) => (await ask(url, `/prewarm?req_id=${id}`))['status'];
  const ended = async (id: string) => ['FINISHED', 'STOPPED'].includes(String(await statusOf(id)));

  const finishedBody = {
    url_list: [...urls(edge, 'finished', 12), `https://${edge.host}/none`, `https://${edge.host}/none?a=1,"2"`],
    pops: POPS.slice(0, 2),
    header: ['Authorization: Bearer token-of-a-viewer', 'Accept-Language: de'],
  };
  const key = { 'idempotency-key': 'key-of-the-recording' };
  const finished = await submit(url, finishedBody, key);
  await until('FINISHED', () => ended(finished));

  const lost = await submit(url, { url_list: urls(edge, 'lost', 3), pops: [POPS[0], LOST_POP] });
  await until('FINISHED without a POP', () => ended(lost));

  const stopped = await submit(url, { url_list: urls(edge, 'stopped', 40), pops: POPS });
  await until('some of it done', async () => Number((await ask(url, `/prewarm?req_id=${stopped}`))['download_count']) > 0);
  await ask(url, `/prewarm?req_id=${stopped}`, { method: 'DELETE' });
  await until('STOPPED', () => ended(stopped));
  // What was in flight at the end comes into the report afterwards.
  await until(
    'the end of what was in flight',
    () => count(dataDir, 'SELECT count(*) AS n FROM messages WHERE fair_key = ?', stopped) === 0,
  );

  const ids = { finished, lost, stopped };
  const read: Record<string, object & { id: string }> = {};
  for (const [name, id] of Object.entries(ids)) read[name] = { id, ...(await readEnded(url, id)) };

  await ask(url, '/instances', { method: 'POST', body: JSON.stringify({ DesiredCapacity: 1 }) });
  const sizing = await submit(url, { url_list: urls(edge, 'unsized', 8), pops: POPS.slice(0, 2), timeout: 60 });
  const flight = await submit(url, { url_list: urls(edge, 'flight', 60), pops: POPS, timeout: 60, header: ['Cookie: cookie-of-a-viewer'] });
  await until('work in flight', () => isInFlight(dataDir, flight));
  if ((await statusOf(sizing)) !== 'SIZING') throw new Error('it was to be SIZING still');
  await served.kill();
  return {
    key: 'key-of-the-recording',
    body: finishedBody,
    ended: read,
    flight: { id: flight, targets: 60 * POPS.length },
    sizing: { id: sizing, targets: 16 },
  };
}

function count(dataDir: string, sql: string, id: string): number {
  const db = new DatabaseSync(join(dataDir, 'prewarm.db'), { readOnly: true });
  try {
    return Number(db.prepare(sql).get(id)?.['n'] ?? 0);
  } finally {
    db.close();
  }
}

/** Some tasks recorded, one leased, some waiting. */
function isInFlight(dataDir: string, id: string): boolean {
  const recorded = count(dataDir, 'SELECT count(*) AS n FROM tasks WHERE request_id = ?', id);
  const leased = count(dataDir, 'SELECT count(*) AS n FROM messages WHERE fair_key = ? AND holder IS NOT NULL', id);
  const waiting = count(dataDir, 'SELECT count(*) AS n FROM messages WHERE fair_key = ? AND holder IS NULL', id);
  return recorded >= 2 && leased >= 1 && waiting >= 1;
}

async function recordRun(edge: SimulatedEdge, flags: readonly string[]) {
  const dataDir = join(work, 'run');
  const list = urls(edge, 'run', 60);
  writeFileSync(join(work, 'urls.txt'), `${list.join('\n')}\n`);
  const places = ['--pops', POPS.join(','), '--agents', '1', '--concurrency', '2', '--data-dir', dataDir];
  const running = start(['run', join(work, 'urls.txt'), '--json', ...places, ...flags]);
  await until('the run', () => running.stdout().includes('IN_PROGRESS'));
  const { request_id: id } = JSON.parse(running.stdout().split('\n')[0] ?? '') as { request_id: string };
  await until('work in flight', () => isInFlight(dataDir, id));
  await running.kill();
  return { id, urls: list, pops: POPS };
}

// The recorded version's own modules, taken to export what today's do: where they do not, the recording fails loudly.
const load = (path: string): Promise<unknown> => import(pathToFileURL(join(resolve(program), path)).href);

/** The whole reports of ended requests, by the program's own reader. */
async function recordReports(ids: readonly string[]): Promise<Record<string, string>> {
  const { openEmbeddedStores } = (await load('adapters/embedded/embedded-stores.ts')) as typeof Stores;
  const { reportRequest } = (await load('core/report/report-request.ts')) as typeof Reports;
  const { systemClock } = (await load('core/clock.ts')) as typeof Clocks;
  const stores = openEmbeddedStores(join(work, 'shapes'), systemClock, { holder: 'recording' });
  const reports: Record<string, string> = {};
  for (const id of ids) reports[id] = (await Array.fromAsync(reportRequest(stores, id))).join('');
  stores.close();
  return reports;
}

interface KeptTask {
  readonly taskId: string;
  readonly pop: string;
  readonly counters: string;
  readonly recordedAt: number;
}

/** What a request in flight has in the tables. */
async function readKept(id: string) {
  const { openDatabase } = (await load('adapters/embedded/database.ts')) as typeof Databases;
  const { selectRequest, selectPops } = (await load('adapters/embedded/request-rows.ts')) as typeof RequestRows;
  const db = openDatabase(join(work, 'shapes', 'prewarm.db'));
  const row = selectRequest(db, id);
  const pops = selectPops(db, id);
  const [first] = pops;
  const task = db.get<KeptTask>('SELECT task_id AS taskId, pop, counters, recorded_at AS recordedAt FROM tasks WHERE request_id = ?', id);
  const message = db.get<{ body: string }>("SELECT body FROM messages WHERE queue = 'tasks' AND fair_key = ?", id);
  db.close();
  if (row === null || first === undefined || task === undefined || message === undefined) throw new Error('nothing was in flight');
  return { row, pops, first, task: { ...task, counters: JSON.parse(task.counters) as Counters }, message: message.body };
}

/** The shapes that DynamoDB, SQS and S3 hold, made by the program's own writers from the rows that it left on disk. */
async function recordAwsShapes(id: string) {
  const { requestItem, planItems, popSumItem, toItem } = (await load('adapters/aws/dynamo-rows.ts')) as typeof DynamoRows;
  const { countersToMetadata } = (await load('core/work/record-task.ts')) as typeof Records;
  const { encodeMetadata } = (await load('adapters/aws/s3-list-store.ts')) as typeof ListStores;
  const { row, pops, first, task, message } = await readKept(id);
  const { taskId, pop, counters, recordedAt } = task;
  const metadata = countersToMetadata(counters);
  const taskItem = toItem({ requestId: id, taskId, pop, ...metadata, recordedAt, writer: 'w', expiresAt: 1 });
  const record = { eventSource: 'aws:dynamodb' };
  return {
    row,
    pops,
    task: { taskId, pop, counters },
    requestItem: requestItem(row),
    planItems: planItems(id, pops, row.createdAt),
    popSumItem: popSumItem(id, { pop: first.pop, counters: first.counters, countedTasks: 2 }, row.createdAt),
    taskItem,
    taskMessage: message,
    planMessage: JSON.stringify({ requestId: id }),
    resultMetadata: encodeMetadata(metadata),
    requestStreamRecord: { ...record, eventName: 'MODIFY', dynamodb: { Keys: toItem({ id }) } },
    taskStreamRecord: { ...record, eventName: 'INSERT', dynamodb: { Keys: toItem({ requestId: id, taskId }), NewImage: taskItem } },
  };
}

const edge = await createSimulatedEdge({ pops: POPS.map((pop) => ({ pop })), latencies: { edgeMs: 15 } });
try {
  edge.setFault({ path: '/o/1k/unsized-*', method: 'HEAD' }, { kind: 'latency', ms: 3_600_000 });
  const { caFile, edgeMapFile } = await edge.writeFiles(work);
  const flags = ['--edge-map', edgeMapFile, '--ca-file', caFile, '--allow-private-addresses'];
  const serve = await recordServe(edge, flags);
  const run = await recordRun(edge, flags);
  rmSync(recordings, { recursive: true, force: true });
  mkdirSync(recordings, { recursive: true });
  // Before anything opens the tables again: what a kill left, log and all.
  for (const name of ['serve', 'run']) execFileSync('tar', ['-czf', join(recordings, `${name}.tar.gz`), '-C', work, name]);
  execFileSync('cp', ['-R', join(work, 'serve'), join(work, 'shapes')]);
  const reports = await recordReports(Object.values(serve.ended).map(({ id }) => id));
  const write = (name: string, value: unknown) => writeFileSync(join(recordings, name), `${JSON.stringify(value, null, 2)}\n`);
  write('expected.json', { apiKey: KEY, host: edge.host, edgeMap: edge.edgeMap, serve, run });
  write('reports.json', reports);
  write('aws-shapes.json', await recordAwsShapes(serve.flight.id));
  process.stdout.write(`recorded ${readFileSync(join(recordings, 'serve.tar.gz')).length} bytes of tables into ${recordings}\n`);
} finally {
  await edge.close();
  rmSync(work, { recursive: true, force: true });
}
