import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse } from 'csv-parse/sync';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { openEmbeddedStores } from '../../../adapters/embedded/embedded-stores.ts';
import { systemClock } from '../../../core/clock.ts';
import { reportRequest } from '../../../core/report/report-request.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask, hasEnded, type Progress, type Served, serve, until } from '../../server/served.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';
import { findCold } from '../../../testing/edge-viewer.ts';
import { lastProgress, mapFlags, openScene, targetsIn, targetsOf } from '../../../testing/scene.ts';
import { openRecordedEdge, type Recorded, readRecorded, readRecording, refresh, unpack, VERSIONS } from './recorded-dir.ts';

type Row = Readonly<Record<string, string>>;

const rowsOf = (report: string): Row[] => parse<Row>(report, { columns: true });

async function openRecordedServer(version: string, recorded: Recorded, change: (db: DatabaseSync) => void = () => {}) {
  const edge = await openRecordedEdge(recorded);
  onTestFinished(() => edge.close());
  const { caFile, edgeMapFile } = await edge.writeFiles(temporaryDir());
  const dataDir = unpack(version, 'serve', temporaryDir());
  refresh(dataDir, recorded, edge);
  const db = new DatabaseSync(join(dataDir, 'prewarm.db'));
  change(db);
  db.close();
  const flags = ['--edge-map', edgeMapFile, '--ca-file', caFile, '--allow-private-addresses', '--data-dir', dataDir];
  return { edge, dataDir, served: await serve(flags, { PREWARM_API_KEY: recorded.apiKey }) };
}

/** Rows as a report had them, for a report that may have more columns. */
const asBefore = (report: string) => rowsOf(report).map((row): unknown => expect.objectContaining(row));

async function reportOf(dataDir: string, id: string): Promise<string> {
  const stores = openEmbeddedStores(dataDir, systemClock, { holder: createHolder() });
  try {
    return (await Array.fromAsync(reportRequest(stores, id))).join('');
  } finally {
    stores.close();
  }
}

const get = async <T>({ url }: Served, path: string, { apiKey }: Recorded) => (await ask<T>({ url, key: apiKey }, path)).body;

async function untilEnded({ url }: Served, id: string, { apiKey }: Recorded): Promise<Progress> {
  return until({ url, key: apiKey }, id, hasEnded, 60_000);
}

describe.each(VERSIONS)('a data directory that version %s left behind when it was killed', (version) => {
  const recorded = readRecording(version);

  test('a data directory of an earlier version answers the same of ended requests: figures, summary and every row of the report', async () => {
    const { served, dataDir } = await openRecordedServer(version, recorded);
    const reports = readRecorded(version, 'reports.json') as Readonly<Record<string, string>>;
    for (const { id, progress, summary, failures } of Object.values(recorded.serve.ended)) {
      expect(await get(served, `/prewarm?req_id=${id}`, recorded)).toMatchObject(progress);
      const answered = await get<{ failure_pop_urls_report: string }>(served, `/summary?req_id=${id}`, recorded);
      expect(answered).toMatchObject(summary);
      const rows = rowsOf(await (await fetch(answered.failure_pop_urls_report)).text());
      expect(rows).toEqual(asBefore(failures));
      expect(rowsOf(await reportOf(dataDir, id))).toEqual(asBefore(reports[id] ?? ''));
    }
  });

  test('a data directory of an earlier version continues what was in flight and being sized, and ends both exactly', {
    timeout: 90_000,
  }, async () => {
    const { edge, served, dataDir } = await openRecordedServer(version, recorded);
    for (const { id, targets } of [recorded.serve.flight, recorded.serve.sizing]) {
      const all = { total_count: targets, download_count: targets, failed_count: 0, percentage_complete: 100 };
      expect(await untilEnded(served, id, recorded)).toMatchObject({ status: 'FINISHED', ...all });
      const rows = rowsOf(await reportOf(dataDir, id));
      expect(new Set(targetsIn(rows)).size).toBe(targets);
      expect(rows).toHaveLength(targets);
    }
    const paths = Array.from({ length: 8 }, (_, n) => `/o/1k/unsized-${n}`);
    expect(await findCold(edge, paths, Object.keys(recorded.edgeMap).slice(0, 2))).toEqual([]);
  });

  test('a data directory of an earlier version keeps its timers, and a due one ends its request with every target accounted for', async () => {
    const { id, targets } = recorded.serve.sizing;
    const { served } = await openRecordedServer(version, recorded, (db) => {
      db.prepare('UPDATE timers SET at = 1 WHERE request_id = ?').run(id);
      db.prepare('UPDATE requests SET timeout_at = 1 WHERE id = ?').run(id);
    });
    const { status, total_count: total, download_count: done, failed_count: failed } = await untilEnded(served, id, recorded);
    expect({ status, total, accounted: done + failed }).toEqual({ status: 'TIMEOUT', total: targets, accounted: targets });
  });

  test("a data directory of an earlier version keeps idempotency keys and the operator's claim", async () => {
    const { served } = await openRecordedServer(version, recorded);
    const { key, body, ended } = recorded.serve;
    const again = await ask<{ request_id: string }>({ url: served.url, key: recorded.apiKey }, '/prewarm', {
      body,
      headers: { 'idempotency-key': key },
    });
    expect(again).toMatchObject({ status: 200, body: { request_id: ended.finished.id } });
    // Both claims of requests end with them.
    for (const { id } of [recorded.serve.flight, recorded.serve.sizing]) {
      await ask({ url: served.url, key: recorded.apiKey }, `/prewarm?req_id=${id}`, { method: 'DELETE' });
    }
    expect(JSON.stringify(await get(served, '/instances', recorded))).toContain('"desiredcapacity":1');
  });
});

test.each(VERSIONS)('an interrupted run of version %s continues, and its report has every row', { timeout: 90_000 }, async (version) => {
  const scene = openScene({ onTestFinished });
  const recorded = readRecording(version);
  const edge = await openRecordedEdge(recorded);
  onTestFinished(() => edge.close());
  const dataDir = unpack(version, 'run', scene.at('.'));
  refresh(dataDir, recorded, edge);
  const out = scene.at('report.csv');
  const ended = await scene.run(['run', '--resume', '--data-dir', dataDir, '--json', '--out', out, ...mapFlags(scene, edge)]);
  const { urls, pops, id } = recorded.run;
  const total = urls.length * pops.length;
  expect({ code: ended.code, ...lastProgress(ended.stdout) }).toMatchObject({
    code: 0,
    request_id: id,
    status: 'FINISHED',
    total_count: total,
    download_count: total,
    failed_count: 0,
  });
  expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, pops));
});
