import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openDatabase, SCHEMA_VERSION } from '../../../adapters/embedded/database.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { systemClock } from '../../../core/clock.ts';
import { requestRow, T0 } from '../../../testing/request-rows.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

test('tables of the first version are brought up to date, with the requests in them', async () => {
  const path = join(temporaryDir(), 'prewarm.db');
  const first = openDatabase(path);
  await createSqliteRequestStore(first, systemClock).create(requestRow('r1'));
  first.close();
  const old = new DatabaseSync(path);
  old.exec('CREATE TABLE recorded_tasks (request_id TEXT PRIMARY KEY, tasks INTEGER NOT NULL) WITHOUT ROWID');
  old.exec('ALTER TABLE provisional DROP COLUMN byte_rate; ALTER TABLE provisional DROP COLUMN in_flight');
  old.exec('DROP INDEX requests_by_end; ALTER TABLE requests DROP COLUMN made_by; DROP TABLE idempotency; PRAGMA user_version = 1');
  old.close();

  const db = openDatabase(path);
  const store = createSqliteRequestStore(db, systemClock);
  expect(await store.get('r1')).toEqual(requestRow('r1', { madeBy: null }));
  await store.create(requestRow('r2', { madeBy: 'ci' }));
  expect((await store.get('r2'))?.madeBy).toBe('ci');
  const claim = { key: 'k', fingerprint: 'f', requestId: 'r2', lapsesAt: T0 + 1 };
  expect(await store.claimIdempotencyKey(claim, T0)).toEqual(claim);
  const figures = { requestId: 'r2', agentId: 'a1', count: 1, bytes: 2, rate: 3, byteRate: 4, inFlight: 5, updatedAt: T0 };
  await store.putProvisional(figures);
  expect(await store.listProvisional('r2')).toEqual([figures]);
  expect(db.all("SELECT name FROM sqlite_schema WHERE name = 'recorded_tasks'")).toEqual([]);
  db.close();
});

test('a directory of a newer version is refused by that name, with both remedies, and is left as it is', () => {
  const path = join(temporaryDir(), 'prewarm.db');
  openDatabase(path).close();
  const newer = new DatabaseSync(path);
  newer.exec('CREATE TABLE of_the_future (one); PRAGMA user_version = 1000');
  newer.close();
  const before = readFileSync(path);
  expect(() => openDatabase(path)).toThrow(
    `${path}: was made by a newer version of this program (tables 1000, this version knows tables up to ${SCHEMA_VERSION}); use that version, or choose another data directory`,
  );
  expect(readFileSync(path).equals(before)).toBe(true);
});
