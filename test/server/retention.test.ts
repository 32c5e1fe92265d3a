import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { openDataDir } from '../../adapters/embedded/data-dir.ts';
import { openEmbeddedStores } from '../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../adapters/embedded/holder.ts';
import { systemClock } from '../../core/clock.ts';
import { keys } from '../../core/keys.ts';
import type { RequestRow } from '../../core/request/request.ts';
import { openNotifiedServer } from '../../testing/notified-server.ts';
import { requestRow } from '../../testing/request-rows.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { ask, newDataDir, openEdge, serve } from './served.ts';

const DAY = 86_400_000;
const SECRET = 'Bearer token-of-a-viewer';
const WITH_SECRET = [{ name: 'default', headers: [['Authorization', SECRET]] as const }];

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const endedDaysAgo = (n: number, days: number, change: Partial<RequestRow> = {}) =>
  requestRow(idOf(n), { status: 'FINISHED', endedAt: Date.now() - days * DAY, createdAt: Date.now() - days * DAY, ...change });

/** Leaves requests behind in a data directory, each with a file of its own, as an earlier process would. */
async function plant(rows: readonly RequestRow[]): Promise<string> {
  const dataDir = openDataDir(newDataDir());
  const stores = openEmbeddedStores(dataDir.path, systemClock, { holder: createHolder() });
  for (const row of rows) {
    await stores.store.create(row);
    await stores.lists.put(keys.urls(row.id), ['https://www.example.com/a\n']);
  }
  stores.close();
  dataDir.release();
  return dataDir.path;
}

/** Paths of files below the directory that hold the text. */
function filesWith(dir: string, text: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

test('a server deletes requests with their files when they ended more days ago than it keeps them, and keeps the others', async () => {
  const dataDir = await plant([endedDaysAgo(1, 31), endedDaysAgo(2, 29), requestRow(idOf(3), { createdAt: Date.now() - 90 * DAY })]);
  const { flags } = await openEdge();
  const served = await serve([...flags, '--data-dir', dataDir]);
  await vi.waitFor(() => expect(served.stderr()).toContain('old requests were deleted'), 10_000);
  expect((await ask(served, `/prewarm?req_id=${idOf(1)}`)).status).toBe(404);
  expect((await ask(served, `/prewarm?req_id=${idOf(2)}`)).status).toBe(200);
  expect((await ask(served, `/prewarm?req_id=${idOf(3)}`)).status).toBe(200);
  expect(readdirSync(join(dataDir, 'requests')).toSorted()).toEqual([idOf(2), idOf(3)]);
  expect(await served.stop()).toBe(0);

  const shorter = await serve([...flags, '--data-dir', dataDir, '--keep-days', '7']);
  await vi.waitFor(async () => expect((await ask(shorter, `/prewarm?req_id=${idOf(2)}`)).status).toBe(404), 10_000);
  expect(await shorter.stop()).toBe(0);
});

test('the server keeps an old request until it has sent its end', async () => {
  const listener = await openNotifiedServer();
  const notifyUrl = listener.url;
  const dataDir = await plant([endedDaysAgo(1, 400, { spec: { ...requestRow('any').spec, notifyUrl } })]);
  const { flags } = await openEdge();
  const caFile = join(temporaryDir(), 'listener.pem');
  writeFileSync(caFile, listener.caPem);
  const args = [...flags.slice(0, 2), '--ca-file', caFile, '--allow-private-addresses', '--allow-private-notify', '--data-dir', dataDir];
  const served = await serve(args);
  await vi.waitFor(() => expect(served.stderr()).toContain('the end was told'), 10_000);
  expect(listener.bodies).toHaveLength(1);
  expect(await served.stop()).toBe(0);
  const again = await serve(args);
  await vi.waitFor(async () => expect((await ask(again, `/prewarm?req_id=${idOf(1)}`)).status).toBe(404), 10_000);
  expect(await again.stop()).toBe(0);
  expect(listener.bodies).toHaveLength(1);
});

test('the server removes secrets of earlier versions from rows of ended requests in every file at its start, also behind a reader', async () => {
  const spec = { ...requestRow('any').spec, variants: WITH_SECRET };
  const dataDir = await plant(Array.from({ length: 250 }, (_, n) => endedDaysAgo(n, 1, { spec })));
  expect(filesWith(dataDir, SECRET)).not.toEqual([]);
  const reader = new DatabaseSync(join(dataDir, 'prewarm.db'));
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM requests').get();
  const { flags } = await openEdge();
  const served = await serve([...flags, '--data-dir', dataDir]);
  await vi.waitFor(() => {
    const other = new DatabaseSync(join(dataDir, 'prewarm.db'));
    const left = other.prepare('SELECT count(*) AS n FROM requests WHERE instr(spec, ?) > 0').get(SECRET) as { n: number };
    other.close();
    expect(left.n).toBe(0);
  }, 10_000);
  expect(filesWith(dataDir, SECRET)).not.toEqual([]);
  reader.exec('COMMIT');
  reader.close();
  await vi.waitFor(() => expect(filesWith(dataDir, SECRET)).toEqual([]), 10_000);
  expect(await served.stop()).toBe(0);
});
