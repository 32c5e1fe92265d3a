import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createApiKeys } from '../../../server/app/api-keys.ts';
import { parseStrictJson } from '../../../server/app/read-body.ts';
import { parseServeOptions } from '../../../cli/options/serve-options.ts';
import { formatLogLine } from '../../../server/node/server-log.ts';
import { InvalidInput } from '../../../core/errors.ts';
import { prewarm } from '../prewarm-command.ts';
import { ask, newDataDir, openEdge, serve } from '../../server/served.ts';

function faultsOf(raw: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    parseServeOptions(raw, env);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.faults.map(({ field, value }) => `${field} ${value}`);
  }
}

test('the server listens on this machine only, unless it has an API key', () => {
  expect(parseServeOptions({}, {})).toMatchObject({
    host: '127.0.0.1',
    port: 8787,
    dataDir: null,
    keys: [],
    showSuccessUrls: false,
    json: false,
  });
  for (const host of ['0.0.0.0', '::', '192.168.1.4', 'example.com', '127.example.com'])
    expect(faultsOf({ host })).toEqual([`--host ${host}`]);
  for (const host of ['127.0.0.1', '127.3.2.1', 'localhost', '::1']) expect(faultsOf({ host })).toEqual([]);
  const long = 'k'.repeat(20);
  expect(faultsOf({ host: '0.0.0.0', apiKey: [long] })).toEqual([]);
  expect(faultsOf({ host: '0.0.0.0' }, { PREWARM_API_KEY: long })).toEqual([]);
  expect(faultsOf({ host: '127.0.0.1', apiKey: ['k'] })).toEqual([]);
  expect(faultsOf({ host: '0.0.0.0', apiKey: ['k'.repeat(19), `ci=${'k'.repeat(19)}`] })).toEqual(['--api-key default', '--api-key ci']);
  expect(faultsOf({ host: '0.0.0.0' }, { PREWARM_API_KEY: 'k' })).toEqual(['PREWARM_API_KEY default']);
  expect(faultsOf({ host: '0.0.0.0' }, { PREWARM_API_KEYS: `a=${long},b=k` })).toEqual(['PREWARM_API_KEYS b']);
  expect(faultsOf({ host: '0.0.0.0' }, { PREWARM_API_KEY: '' })).toEqual(['--host 0.0.0.0']);
});

test('API keys have names, and no fault shows a key', () => {
  const keysOf = (...apiKey: string[]) => parseServeOptions({ apiKey }, {}).keys;
  expect(keysOf('secret')).toEqual([{ name: 'default', role: 'full', key: 'secret' }]);
  expect(keysOf('ci=one', 'launch.2=two=2')).toEqual([
    { name: 'ci', role: 'full', key: 'one' },
    { name: 'launch.2', role: 'full', key: 'two=2' },
  ]);
  expect(keysOf('c2VjcmV0==')).toEqual([{ name: 'default', role: 'full', key: 'c2VjcmV0==' }]);
  expect(parseServeOptions({}, { PREWARM_API_KEY: 'ci=one' }).keys).toEqual([{ name: 'default', role: 'full', key: 'ci=one' }]);
  expect(faultsOf({ apiKey: ['ci=one', 'ci=two'] })).toEqual(['--api-key ci']);
  expect(faultsOf({ apiKey: ['ci=with blank', ''] })).toEqual(['--api-key ', '--api-key ']);
  expect(faultsOf({ port: '65536', maxAgents: '0', concurrency: 'x', dataDir: ' ' })).toHaveLength(4);
});

test('the presented key decides the name, and an unknown key has none', () => {
  const keys = createApiKeys([
    { name: 'a', role: 'full', key: 'one' },
    { name: 'b', role: 'read', key: 'two' },
  ]);
  expect(['one', 'two', 'on', 'onee', '', 'ONE'].map((key) => keys.holderOf(key)?.name ?? null)).toEqual([
    'a',
    'b',
    null,
    null,
    null,
    null,
  ]);
});

test('the JSON reader keeps names in strings and escapes as they are', () => {
  const text = String.raw`{"a\\": "{\"a\": 1, \"a\": 2}", "b": [{"a": 1}, {"a": 2}], "": "", "c": {"b": "\\\""}, "\u0064": [1, "x", null, true]}`;
  expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  for (const twice of ['{"a":1,"a":1}', '{"x":{"b":1,"c":[],"b":1}}', String.raw`{"a\"":1,"a\u0022":2}`, '[{"":1,"":2}]']) {
    expect(() => parseStrictJson(twice)).toThrow('twice');
  }
});

test('serve makes a key, shows it once, keeps it for this user only, and accepts it after a restart', async () => {
  const { flags } = await openEdge();
  const dataDir = newDataDir();
  const env = { PREWARM_API_KEY: '' };
  const first = await serve([...flags, '--data-dir', dataDir], env);
  const [, key = ''] = /shown this once: (\S+)\n/.exec(first.stderr()) ?? [];
  expect(key.length).toBeGreaterThan(30);
  expect((await ask(first, '/requests', { key })).status).toBe(200);
  expect(statSync(join(dataDir, 'api-key')).mode & 0o077).toBe(0);
  expect(readFileSync(join(dataDir, 'report-secret'), 'utf8')).not.toContain(key);
  await first.kill();
  const second = await serve([...flags, '--data-dir', dataDir], env);
  expect(second.stderr()).not.toContain(key);
  expect((await ask(second, '/requests', { key })).status).toBe(200);
});

test('serve reports bad usage, a port in use and a busy directory at once, and leaves nothing behind', async () => {
  const { flags } = await openEdge();
  const dataDir = newDataDir();
  const served = await serve([...flags, '--data-dir', dataDir]);
  const { port } = new URL(served.url);
  const idle = newDataDir();
  const taken = await prewarm(['serve', '--port', port, '--data-dir', idle], { PREWARM_API_KEY: '' });
  expect(taken).toMatchObject({ code: 2, stdout: '' });
  const [head, fault, ...more] = taken.stderr.split('\n');
  expect(head).toBe('prewarm: nothing was started, because the input is not right:');
  expect(fault).toContain(`--port: "${port}": is in use`);
  expect(more).toEqual(['']);
  expect(readdirSync(idle)).not.toContain('api-key');
  const busy = await prewarm(['serve', '--port', '0', '--data-dir', dataDir]);
  expect(busy.code).toBe(1);
  expect(busy.stderr).toContain('another prewarm works in this directory');
  const open = await prewarm(['serve', '--host', '0.0.0.0'], { PREWARM_API_KEY: '' });
  expect(open).toMatchObject({ code: 2, stdout: '' });
  expect(open.stderr).toContain('--host: "0.0.0.0"');
});

test('the log of serve is JSON, shows neither keys nor bodies, and has a form for people', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags, { PREWARM_API_KEY: 'very-secret' });
  await ask(served, '/prewarm', { key: 'very-secret', body: { url_list: ['ftp://private'] }, headers: { 'x-private': 'hush' } });
  await ask(served, '/prewarm?req_id=private', { key: 'wrong-private' });
  expect(await served.stop()).toBe(0);
  const lines = served
    .stderr()
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('prewarm: '));
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(entries).toContainEqual(
    expect.objectContaining({ msg: 'answered', method: 'POST', route: '/prewarm', status: 400, key: 'default' }),
  );
  expect(entries).toContainEqual(expect.objectContaining({ msg: 'answered', method: 'GET', status: 403 }));
  expect(served.stderr()).not.toMatch(/private|secret|hush/);
  expect(formatLogLine('{"level":"info","time":"2027-01-15T08:00:00.000Z","status":200,"route":"/x","msg":"answered"}')).toBe(
    '08:00:00.000 info  answered status=200 route=/x\n',
  );
});

test('--allow-domain takes names of distributions or all of them, and refuses anything else', () => {
  const allowedBy = (...allowDomain: string[]) => parseServeOptions({ allowDomain }, {}).allowedDomains;
  expect(parseServeOptions({}, {}).allowedDomains).toEqual([]);
  expect(allowedBy('D111111abcdef8.cloudfront.net', ' www.example.com')).toEqual(['d111111abcdef8.cloudfront.net', 'www.example.com']);
  expect(allowedBy('*')).toEqual(['*']);
  expect(faultsOf({ allowDomain: ['*.example.com', 'https://x.example/', ''] })).toEqual([
    '--allow-domain *.example.com',
    '--allow-domain https://x.example/',
  ]);
  expect(faultsOf({ allowDomain: [' '] })).toEqual(['--allow-domain ']);
});

test('a server warms the distributions that it allows, and no other host', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--allow-domain', 'd111111abcdef8.cloudfront.net']);
  const statusOf = async (url: string, cf_domain: string | null) =>
    (await ask(served, '/prewarm', { body: { url_list: [url], pops: ['SIN2-P1'], ...(cf_domain === null ? {} : { cf_domain }) } })).status;
  const own = 'd111111abcdef8.cloudfront.net';
  expect(await statusOf(`https://${own}/a`, null)).toBe(200);
  expect(await statusOf(`https://${own}/a`, own)).toBe(200);
  expect(await statusOf('https://d222222abcdef8.cloudfront.net/a', null)).toBe(400);
  expect(await statusOf('https://www.victim.example/a', own)).toBe(400);
  expect(await statusOf('https://www.victim.example/a', null)).toBe(400);
});
