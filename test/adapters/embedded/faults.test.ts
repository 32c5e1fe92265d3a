import { countRecorded } from '../../../testing/request-rows.ts';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openDataDir } from '../../../adapters/embedded/data-dir.ts';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { openEmbeddedStores } from '../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../core/clock.ts';
import { scriptPath, startCommand, startScript } from './child-script.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

/** As whom `hold-data-dir` goes on without rights. */
const NOBODY = 65_534;
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const full = { code: 'storage_full', message: expect.stringMatching(/no space is left to write .* choose another data directory/) };

it('the store reports a full disk when a file may not grow further, and keeps every recorded task', async () => {
  const dir = temporaryDir();
  const command = `ulimit -f 2000; exec "${process.execPath}" "${scriptPath('fill-disk')}" "${dir}"`;
  const seen = JSON.parse(await startCommand('sh', ['-c', command]).nextLine());
  expect(seen.rows).toMatchObject(full);
  expect(seen.rows.message).toContain(join(dir, 'prewarm.db'));
  expect(seen.rows.kept).toBeGreaterThan(5);
  expect(seen.list).toMatchObject(full);
  expect(seen.list.message).toContain(join(dir, 'requests'));
  expect(seen.result).toMatchObject(full);
  expect(seen.temporaries).toBe(0);

  const stores = openEmbeddedStores(dir, systemClock, { holder: createHolder() });
  expect(await countRecorded(stores.store, 'r1')).toBe(seen.rows.kept);
  expect(stores.outbox.take('task', 10_000)).toHaveLength(seen.rows.kept);
  expect(await stores.lists.resultMetadata('requests/r1/results/0.csv')).toBeNull();
  stores.close();
});

it.skipIf(!canMount)('the store reports a full disk on a file system without room (needs the right to mount one)', async () => {
  const dir = temporaryDir();
  const command = `mount -t tmpfs -o size=2m tmpfs "${dir}" && exec "${process.execPath}" "${scriptPath('fill-disk')}" "${dir}"`;
  const seen = JSON.parse(await startCommand('unshare', ['-m', 'sh', '-c', command]).nextLine());
  expect(seen.rows).toMatchObject(full);
  expect(seen.list).toMatchObject(full);
  expect(seen.result).toMatchObject(full);
  expect(seen.recorded).toBe(seen.rows.kept);
  expect(seen.temporaries).toBe(0);
});

it('one process at a time holds a data directory, until it ends, however it ends', async () => {
  const dir = temporaryDir();
  const first = startScript('hold-data-dir', [dir]);
  expect(await first.nextLine()).toBe('open');
  expect(() => openDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_busy', message: expect.stringContaining(dir) }));
  first.child.kill('SIGKILL');
  await first.ended;
  const held = openDataDir(dir);
  expect(() => openDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_busy' }));
  expect(JSON.parse(await startScript('hold-data-dir', [dir]).nextLine())).toMatchObject({ code: 'data_dir_busy' });
  held.release();
  openDataDir(dir).release();
});

it('a data directory that may not be written is refused at once', async () => {
  const dir = temporaryDir();
  chmodSync(dir, 0o555);
  // Its own directory, but not its to write: another user's is refused for that.
  if (process.geteuid?.() === 0) chownSync(dir, NOBODY, NOBODY);
  const seen = JSON.parse(await startScript('hold-data-dir', [dir, 'unprivileged']).nextLine());
  expect(seen).toMatchObject({ code: 'storage', message: expect.stringMatching(/check its permissions or choose another/) });
  expect(seen.message).toContain(dir);
});

it.runIf(process.geteuid?.() === 0)("another user's data directory is refused to a process without root's rights", async () => {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  const seen = JSON.parse(await startScript('hold-data-dir', [dir, 'unprivileged']).nextLine());
  expect(seen).toMatchObject({ code: 'storage', message: expect.stringMatching(/belongs to another user/) });
});

it('a data directory is refused where a file has its place', () => {
  const file = join(temporaryDir(), 'file');
  writeFileSync(file, '');
  const refused = expect.objectContaining({ code: 'storage', message: expect.stringMatching(/a file is where a directory is needed/) });
  expect(() => openDataDir(file)).toThrow(refused);
  expect(() => openDataDir(join(file, 'below'))).toThrow(refused);
});

it('tables that are damaged, of a newer version, or impossible to open are refused', () => {
  const dir = temporaryDir();
  const junk = join(dir, 'junk.db');
  writeFileSync(junk, 'not a database'.repeat(1000));
  expect(() => openDatabase(junk)).toThrow(
    expect.objectContaining({ code: 'storage', message: expect.stringContaining(`${junk}: is damaged`) }),
  );
  const newer = new DatabaseSync(join(dir, 'newer.db'));
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  expect(() => openDatabase(join(dir, 'newer.db'))).toThrow(
    expect.objectContaining({ code: 'storage', message: expect.stringContaining('newer version') }),
  );
  mkdirSync(join(dir, 'directory.db'));
  expect(() => openDatabase(join(dir, 'directory.db'))).toThrow(expect.objectContaining({ code: 'storage' }));
});

it('the whole of a transaction that fails half way is undone', () => {
  const db = openDatabase(':memory:');
  const insert = "INSERT INTO timers (request_id, at) VALUES ('r1', 1)";
  expect(() =>
    db.transaction(() => {
      db.run(insert);
      throw new Error('half way');
    }),
  ).toThrow('half way');
  expect(db.all('SELECT * FROM timers')).toEqual([]);
  db.transaction(() => db.run(insert));
  expect(db.all('SELECT * FROM timers')).toHaveLength(1);
  db.close();
});
