import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPrewarm } from '../../testing/prewarm-process.ts';
import { until } from '../../testing/until.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACK_MS = 60_000;
/** Tells every module that is loaded, one a line on standard error. */
const TELL_LOADS = `import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { if (url.startsWith('file:')) console.error(url); return next(url, context); } });`;

let dir: string;
let installed: string;

const env = () => ({
  ...process.env,
  PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
  HOME: join(dir, 'home'),
  XDG_CACHE_HOME: join(dir, 'home'),
  TMPDIR: join(dir, 'tmp'),
});

beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'prewarm-pack-')));
  for (const name of ['home', 'tmp', 'elsewhere']) mkdirSync(join(dir, name));
  await run('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: ROOT, env: { ...env(), TMPDIR: dir } });
  const tarball = readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(dir, 'elsewhere', 'package.json'), '{ "private": true }');
  // Offline: whatever was not in the tarball would be missing.
  await run('npm', ['install', '--offline', '--silent', join(dir, tarball)], {
    cwd: join(dir, 'elsewhere'),
    env: { ...env(), TMPDIR: dir },
  });
  installed = join(dir, 'elsewhere', 'node_modules', 'cloudfront-prewarm');
}, PACK_MS);
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const bin = () => join(dir, 'elsewhere', 'node_modules', '.bin', 'prewarm');

test('every link of the pages in the package leads to something in the package', () => {
  const pages = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((file) => /^(?!dist).*\.md$/.test(file));
  expect(pages).toContain('README.md');
  const dead = pages.flatMap((page) => {
    const links = [...readFileSync(join(installed, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link);
    return links.filter((link) => !existsSync(join(installed, dirname(page), link))).map((link) => `${page}: ${link}`);
  });
  expect(dead).toEqual([]);
});

test('the package holds the command, its bundle and what that reads, and needs no other package', () => {
  expect(readdirSync(join(dir, 'elsewhere', 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['cloudfront-prewarm']);
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((file) => statSync(join(installed, file)).isFile());
  const outside = files.filter((file) => !/^(dist|docs)/.test(file)).sort();
  expect(outside).toEqual([
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    join('cli', 'prewarm.js'),
    join('examples', 'urls.csv'),
    join('lib', 'dynamic-origin', 'current-time.mjs'),
    'package.json',
    join('test', 'system', 'upgrade', 'README.md'),
  ]);
  expect(files.filter((file) => file.endsWith('.ts'))).toEqual([]);
  const licences = readFileSync(join(installed, 'dist', 'LICENCES.txt'), 'utf8');
  for (const name of ['undici', 'zod', '@aws-sdk/client-cloudfront', 'commander'])
    expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
});

test('packing leaves no bundle in the clone, whose command runs the sources', () => {
  expect(readdirSync(ROOT)).not.toContain('dist');
});

test('the installed command tells its version, and loads only what that takes', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const hook = join(dir, 'tell-loads.mjs');
  writeFileSync(hook, TELL_LOADS);
  const { stdout, stderr } = await run(bin(), ['--version'], { env: { ...env(), NODE_OPTIONS: `--import=${hook}` } });
  expect(stdout).toBe(`${version}\n`);
  const loaded = stderr
    .trim()
    .split('\n')
    .map((url) => fileURLToPath(url));
  expect(loaded).toContain(join(installed, 'dist', 'main.js'));
  expect(loaded.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(300_000);
});

test('the installed command runs the drill with agents of its own, and leaves nothing behind', async () => {
  const drill = startPrewarm(['drill'], { command: [bin()], env: env() });
  const { code, stdout } = await drill.ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('The proof holds.') as string });
  expect(drill.tree()).toEqual([]);
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});

test('the installed command simulates an edge that a run is verified at, and leaves nothing behind', async () => {
  const start = (args: readonly string[]) => startPrewarm(args, { command: [bin()], env: env() });
  const edge = start(['simulate', '--json']);
  await until('the edge is up', () => edge.stdout().endsWith('\n'));
  const { options } = JSON.parse(edge.stdout()) as { options: readonly string[] };
  const { code, stdout } = await start(['run', '--url', 'https://www.example.com/a', '--pops', 'SIN2-P1', ...options]).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('1 of 1 target warm and verified') as string });
  edge.signal('SIGTERM');
  expect((await edge.ended).code).toBe(0);
  expect(edge.tree()).toEqual([]);
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});

test('the installed command serves the API, and asks it', async () => {
  const start = (args: readonly string[]) => startPrewarm(args, { command: [bin()], env: { ...env(), PREWARM_API_KEY: 'key' } });
  const server = start(['serve', '--port', '0', '--json']);
  await until('the server is up', () => server.stdout().includes('\n'));
  const { url } = JSON.parse(server.stdout()) as { url: string };
  const { code, stdout } = await start(['requests', '--endpoint', url]).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'no requests\n' });
  server.signal('SIGTERM');
  expect((await server.ended).code).toBe(0);
  expect(server.tree()).toEqual([]);
});
