import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDataDir } from '../../../adapters/embedded/data-dir.ts';
import { keepSecret } from '../../../server/node/keep-secret.ts';
import { loadRunRecord, saveRunRecord } from '../../../embedded/run-dir.ts';
import { writeReport } from '../../../embedded/write-report.ts';
import { lastProgress, mapFlags, openScene, popsOf, type Scene, urlOf } from '../../../testing/scene.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';
import { until } from '../../../testing/until.ts';

const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

function directoryOf(mode: number, uid?: number): string {
  const dir = join(temporaryDir(), 'data');
  mkdirSync(dir);
  chmodSync(dir, mode);
  if (uid !== undefined) chownSync(dir, uid, uid);
  return dir;
}

const refusal = (text: RegExp) => expect.objectContaining({ code: 'storage', message: expect.stringMatching(text) });

test.each([0o777, 0o1777, 0o770, 0o757])('a directory of mode %o that others may write to is refused with the remedy', (mode) => {
  const dir = directoryOf(mode);
  expect(() => openDataDir(dir)).toThrow(refusal(/others may write to it; take that from them \(chmod go-w\), or name a directory below/));
  expect(readdirSync(dir)).toEqual([]);
});

test('a link is refused, while a link further up is not', () => {
  const dir = directoryOf(0o700);
  const link = join(temporaryDir(), 'link');
  symlinkSync(dir, link);
  expect(() => openDataDir(link)).toThrow(refusal(/is a link; name the directory that it leads to/));
  expect(readdirSync(dir)).toEqual([]);
  openDataDir(join(link, 'below')).release();
  expect(modeOf(join(dir, 'below'))).toBe('700');
});

test.runIf(isRoot)("another user's directory is refused, and nothing is written into it", () => {
  const dir = directoryOf(0o755, NOBODY);
  expect(() => openDataDir(dir)).toThrow(refusal(/belongs to another user, .*\(chown\)/));
  expect(readdirSync(dir)).toEqual([]);
});

test('tables that others could read are narrowed, and new ones are private whatever the umask', () => {
  const dir = directoryOf(0o755);
  for (const name of ['prewarm.db-wal', 'prewarm.db-shm']) writeFileSync(join(dir, name), '', { mode: 0o644 });
  writeFileSync(join(dir, 'lock.db'), '', { mode: 0o664 });
  openDataDir(dir).release();
  for (const name of ['prewarm.db', 'prewarm.db-wal', 'prewarm.db-shm', 'lock.db'])
    expect([name, modeOf(join(dir, name))]).toEqual([name, '600']);
});

test('tables that are links are refused, and what they lead to keeps its mode', () => {
  const dir = directoryOf(0o700);
  const other = join(temporaryDir(), 'other');
  writeFileSync(other, 'x');
  chmodSync(other, 0o644);
  symlinkSync(other, join(dir, 'prewarm.db'));
  expect(() => openDataDir(dir)).toThrow(refusal(/prewarm\.db: is no file of this user's own/));
  expect(modeOf(other)).toBe('644');
});

test('the probe of a directory writes to no file that a planted link leads to', () => {
  const dir = directoryOf(0o700);
  const victim = join(temporaryDir(), 'victim');
  writeFileSync(victim, 'untouched');
  for (const name of ['probe', `probe.${process.pid}`]) symlinkSync(victim, join(dir, name));
  openDataDir(dir).release();
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
});

test.each([0o777, 0o770])('a record of a run in a directory of mode %o, which others may write to, is not read', (mode) => {
  const dir = directoryOf(0o700);
  saveRunRecord(dir, {
    requestId: '00000000-0000-4000-8000-000000000001',
    raw: { agents: '2' },
    list: { file: null, urls: null },
    isTemporary: false,
  });
  expect(loadRunRecord(dir).flags).toEqual({ agents: '2' });
  chmodSync(dir, mode);
  expect(() => loadRunRecord(dir)).toThrow(refusal(/others may write to it/));
});

test('a secret is made for this user only, and kept', () => {
  const path = join(temporaryDir(), 'api-key');
  const made = keepSecret(path);
  expect(made.isNew).toBe(true);
  expect(modeOf(path)).toBe('600');
  expect(keepSecret(path)).toEqual({ secret: made.secret, isNew: false });
});

test('a secret that is a link, readable by others or no file is refused, and a planted key never holds', () => {
  const dir = temporaryDir();
  const planted = join(dir, 'planted');
  writeFileSync(planted, 'a planted key', { mode: 0o644 });
  symlinkSync(planted, join(dir, 'link'));
  symlinkSync(join(dir, 'nowhere'), join(dir, 'dangling'));
  mkdirSync(join(dir, 'directory'));
  expect(() => keepSecret(planted)).toThrow(refusal(/planted: can be read by others; .*chmod 600/));
  expect(() => keepSecret(join(dir, 'link'))).toThrow(refusal(/link: is a link; remove it/));
  expect(() => keepSecret(join(dir, 'dangling'))).toThrow(refusal(/is a link/));
  expect(() => keepSecret(join(dir, 'directory'))).toThrow(refusal(/is no file/));
  expect(existsSync(join(dir, 'nowhere'))).toBe(false);
});

test.runIf(isRoot)("another user's secret is refused", () => {
  const path = join(temporaryDir(), 'api-key');
  writeFileSync(path, 'a planted key', { mode: 0o600 });
  chownSync(path, NOBODY, NOBODY);
  expect(() => keepSecret(path)).toThrow(refusal(/belongs to another user, who knows it/));
});

async function* text(...pieces: string[]) {
  yield* pieces;
}

test('a report follows neither a planted partial file nor a link, and keeps the mode of the file it replaces', async () => {
  const dir = temporaryDir();
  const victim = join(dir, 'victim');
  const out = join(dir, 'report.csv');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, `${out}.partial`);
  symlinkSync(victim, out);
  await writeReport(out, text('a', 'b'));
  expect(readFileSync(out, 'utf8')).toBe('ab');
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  chmodSync(out, 0o640);
  await writeReport(out, text('c'));
  expect([readFileSync(out, 'utf8'), modeOf(out)]).toEqual(['c', '640']);
  expect(readdirSync(dir).sort()).toEqual(['report.csv', 'report.csv.partial', 'victim']);
});

test('a report is for this user alone while it grows', async () => {
  const out = join(temporaryDir(), 'report.csv');
  const seen: string[] = [];
  async function* growing() {
    yield 'a';
    await until('the report has a file', () => readdirSync(dirname(out)).length > 0);
    for (const name of readdirSync(dirname(out))) seen.push(modeOf(join(dirname(out), name)));
    yield 'b';
  }
  await writeReport(out, growing(), 0o644);
  expect(seen).toEqual(['600']);
  expect([readFileSync(out, 'utf8'), modeOf(out)]).toEqual(['ab', '644']);
});

const underUmask022 = ['sh', '-c', 'umask 022; exec "$@"', 'sh', process.execPath, join(import.meta.dirname, '../../../cli/main.ts')];

async function startRun(scene: Scene, more: readonly string[] = []) {
  const edge = await scene.edge({ latencies: { edgeMs: 40 } });
  const urls = Array.from({ length: 60 }, (_, n) => urlOf(edge, `/o/1k/a${n}`));
  const flags = ['--pops', popsOf(edge).join(','), ...mapFlags(scene, edge), '--agents', '1', '--concurrency', '2'];
  const env = { PREWARM_API_KEY: 'key-of-a-viewer', AWS_SECRET_ACCESS_KEY: 'secret-of-aws', AWS_PROFILE: 'p', TZ: 'UTC' };
  const args = ['run', scene.list(urls), ...flags, '--data-dir', scene.at('data'), '--json', ...more];
  return { edge, running: scene.start(args, { env, command: underUmask022 }) };
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).flatMap((one) =>
    one.isFile() ? [join(one.parentPath, one.name)] : [],
  );
}

test('a run in a directory that others may read writes nothing they could, and its report is as any file', {
  timeout: 40_000,
}, async () => {
  const scene = openScene({ onTestFinished });
  mkdirSync(scene.at('data'), { mode: 0o755 });
  const { running } = await startRun(scene, ['--out', scene.at('report.csv')]);
  await until('work', () => running.stdout().includes('IN_PROGRESS'));
  const open = filesBelow(scene.at('data')).filter((file) => modeOf(file) !== '600');
  expect(open).toEqual([]);
  expect(filesBelow(scene.at('data')).map((file) => file.slice(scene.at('data').length + 1))).toContain('prewarm.db-wal');
  expect((await running.ended).code).toBe(0);
  expect(modeOf(scene.at('report.csv'))).toBe('644');
});

test.runIf(process.platform === 'linux')('agents inherit no key and no credential', { timeout: 40_000 }, async () => {
  const scene = openScene({ onTestFinished });
  const { running } = await startRun(scene);
  await until('an agent', () => running.stdout().includes('IN_PROGRESS') && running.agents().length === 1);
  const names = readFileSync(`/proc/${running.agents()[0]}/environ`, 'utf8')
    .split('\0')
    .map((one) => one.slice(0, one.indexOf('=')));
  expect(names).toContain('PREWARM_DATA_DIR');
  expect(names).toContain('TZ');
  expect(names.filter((name) => /KEY|AWS|SECRET|TOKEN/.test(name))).toEqual([]);
  expect((await running.ended).code).toBe(0);
});

const umaskOf = (pid: number | undefined) => /^Umask:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

test.runIf(process.platform === 'linux')(
  'a run, a server and their agents make files for this user alone, whatever the umask was',
  { timeout: 60_000 },
  async () => {
    const scene = openScene({ onTestFinished });
    const { running } = await startRun(scene);
    await until('an agent', () => running.stdout().includes('IN_PROGRESS') && running.agents().length === 1);
    expect([running.pid, ...running.agents()].map(umaskOf)).toEqual(['0077', '0077']);
    expect((await running.ended).code).toBe(0);
    const server = scene.start(['serve', '--port', '0', '--json', '--data-dir', scene.at('served')], {
      env: { PREWARM_API_KEY: 'key-of-a-server' },
      command: underUmask022,
    });
    await until('a server', () => server.stdout().includes('\n') && server.agents().length === 1);
    await until('its agent', () => umaskOf(server.agents()[0]) === '0077');
    expect(umaskOf(server.pid)).toBe('0077');
    server.signal('SIGTERM');
    expect((await server.ended).code).toBe(0);
  },
);

test('a resumed run takes no flag from run.json that runs do not keep, no value of another type, and no path of a report where something else lies', {
  timeout: 60_000,
}, async () => {
  const scene = openScene({ onTestFinished });
  const { running } = await startRun(scene);
  await until('work', () => running.stdout().includes('IN_PROGRESS'));
  await running.killTree();
  const file = join(scene.at('data'), 'run.json');
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { flags: object };
  writeFileSync(scene.at('victim'), 'untouched');
  const resume = ['run', '--resume', '--data-dir', scene.at('data'), '--json'];
  const changes: readonly (readonly [object, RegExp])[] = [
    [{ header: ['X-Tier: secret'] }, /run\.json that no run of this version wrote \(flags: .*header/],
    [{ out: scene.at('victim') }, /--out: ".*victim": is where the interrupted run was to write its report, and holds something else/],
    [{ out: '../victim' }, /--out: "\.\.\/victim": is where/],
    [{ out: scene.at('.') }, /--out: ".*": is where/],
    [{ edgeMap: true }, /flags\.edgeMap/],
    [{ allowPrivateAddresses: 'yes' }, /flags\.allowPrivateAddresses/],
  ];
  for (const [change, told] of changes) {
    writeFileSync(file, JSON.stringify({ ...kept, flags: { ...kept.flags, ...change } }));
    const ended = await scene.run(resume);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(told)]);
  }
  expect(readFileSync(scene.at('victim'), 'utf8')).toBe('untouched');
  writeFileSync(file, JSON.stringify({ ...kept, ofTheFuture: 'x' }));
  const ended = await scene.run(resume);
  expect([ended.code, lastProgress(ended.stdout).download_count]).toEqual([0, 120]);
});
