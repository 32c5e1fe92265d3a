import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { parseServeOptions } from '../../cli/options/serve-options.ts';
import { addressOf } from '../../server/node/refusals.ts';
import { describeFault, InvalidInput } from '../../core/errors.ts';
import { prewarm } from '../cli/prewarm-command.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { ask, hasEnded, KEY, objectUrls, openEdge, type Served, serve, submit, until } from './served.ts';

const FORBIDDEN = { status: 403, body: { message: 'Forbidden' } };
const FULL = 'full-key-of-this-suite-0123';
const READ = 'read-key-of-this-suite-0123';
const OTHER = 'other-key-of-this-suite-01';
const NONE = { PREWARM_API_KEY: '' };

function keyFile(text: string, mode = 0o600): string {
  const path = join(temporaryDir(), 'keys');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function faultsOf(raw: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv = {}): string {
  try {
    parseServeOptions(raw, env);
    return '';
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.faults.map(describeFault).join('\n');
  }
}

const loggedBy = (served: Served) =>
  served
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('the server reads a file of keys line by line, and refuses an exposed or empty one without showing a key', () => {
  const { keys } = parseServeOptions({ apiKeyFile: keyFile(`# made by hand\n\nci=${FULL}\r\npolls:read=${READ}\n`) }, {});
  expect(keys).toEqual([
    { name: 'ci', role: 'full', key: FULL },
    { name: 'polls', role: 'read', key: READ },
  ]);
  for (const mode of [0o640, 0o604, 0o620, 0o666]) expect(faultsOf({ apiKeyFile: keyFile(`a=${FULL}`, mode) })).toContain('chmod 600 it');
  expect(faultsOf({ apiKeyFile: temporaryDir() })).toContain('is no file');
  expect(faultsOf({ apiKeyFile: '/none' })).toContain('cannot be read (ENOENT)');
  expect(faultsOf({ apiKeyFile: keyFile('# none\n') })).toContain('holds no key');
  const wrong = faultsOf({ host: '0.0.0.0', apiKeyFile: keyFile(`${FULL}\na:write=${FULL}\nb=short\nc=${FULL}\nc=${READ}\n`) });
  for (const line of [1, 2, 3, 5]) expect(wrong).toContain(`line ${line}`);
  expect(wrong).not.toMatch(/suite|short/);
});

test.skipIf(process.getuid?.() !== 0)('the server refuses a file of keys that belongs to another user', () => {
  const path = keyFile(`a=${FULL}`);
  chownSync(path, 65_534, 65_534);
  expect(faultsOf({ apiKeyFile: path })).toContain('belongs to another user');
});

test('keys come from the flags, or else from the list of the environment, or else from its one key', () => {
  const env = { PREWARM_API_KEYS: `a=${FULL},b:read=${READ}\nc=${OTHER}`, PREWARM_API_KEY: 'one' };
  const namesOf = (raw: object, from: NodeJS.ProcessEnv) =>
    parseServeOptions({ ...raw }, from).keys.map(({ name, role }) => `${name} ${role}`);
  expect(namesOf({}, env)).toEqual(['a full', 'b read', 'c full']);
  expect(namesOf({}, { PREWARM_API_KEY: 'one' })).toEqual(['default full']);
  expect(namesOf({ apiKey: ['x'], apiKeyFile: keyFile('y=1') }, env)).toEqual(
    ['x full', 'y full'].map((name) => name.replace('x', 'default')),
  );
  expect(faultsOf({ apiKey: ['y=2'], apiKeyFile: keyFile('y=1') })).toContain('names two keys');
  expect(faultsOf({}, { PREWARM_API_KEYS: FULL })).toContain('write name=KEY');
});

test('a key with the role read may read everything and change nothing, and the refusal says why', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--api-key-file', keyFile(`all=${FULL}\npolls:read=${READ}\n`)], NONE);
  const id = await submit({ ...served, key: FULL }, { url_list: objectUrls(1), pops: ['SIN2-P1'] });
  await until({ ...served, key: READ }, id, hasEnded);
  for (const path of [
    `/prewarm?req_id=${id}`,
    `/summary?req_id=${id}`,
    `/status?requestID=${id}`,
    '/requests',
    '/instances',
    '/metrics',
    `/reports/${id}`,
  ])
    expect((await ask(served, path, { key: READ })).status).toBe(200);
  for (const change of [
    { path: '/prewarm', body: { url_list: objectUrls(1) } },
    { path: `/prewarm?req_id=${id}`, method: 'DELETE' },
    { path: '/instances', body: { DesiredCapacity: 1 } },
  ]) {
    const { path, ...rest } = change;
    expect(await ask(served, path, { ...rest, key: READ })).toMatchObject({
      status: 403,
      body: { message: 'Forbidden: this key may only ask (its role is read); use a key with the role full' },
    });
  }
  expect(await ask(served, '/requests', { key: null })).toMatchObject(FORBIDDEN);
  const told = await prewarm(['instances', '1', '--endpoint', served.url], { PREWARM_API_KEY: READ });
  expect(told.stderr).toContain('its role is read');
});

test('with private requests a key neither sees nor ends requests of another key, and lists its own page by page', async () => {
  const { edge, flags } = await openEdge();
  edge.setFault({ path: '/o/1k/slow*', method: 'GET' }, { kind: 'stall', at: 'headers' });
  const keys = ['--api-key', `a=${FULL}`, '--api-key', `b=${OTHER}`];
  const served = await serve([...flags, ...keys, '--private-requests']);
  const [a, b] = [
    { ...served, key: FULL },
    { ...served, key: OTHER },
  ];
  const body = { url_list: objectUrls(2, 'slow'), pops: ['SIN2-P1'] };
  const own: string[] = [];
  for (let n = 0; n < 3; n++) {
    own.push(await submit(a, body));
    await submit(b, body);
    await submit(b, body);
  }
  const [id = ''] = own;
  for (const asked of [
    { path: `/prewarm?req_id=${id}` },
    { path: `/prewarm?req_id=${id}&detail=pops` },
    { path: `/prewarm?req_id=${id}`, method: 'DELETE' },
    { path: `/summary?req_id=${id}` },
    { path: `/status?requestID=${id}` },
    { path: `/reports/${id}` },
    { path: '/instances', body: { req_id: id, DesiredCapacity: 5 } },
    { path: '/instances', body: { req_id: id, DesiredCapacity: 0, force_stop: true } },
  ]) {
    const { path, ...rest } = asked;
    expect(await ask(b, path, rest)).toMatchObject({ status: 404, body: { error_message: expect.stringContaining('no such request') } });
  }
  expect((await ask(a, `/prewarm?req_id=${id}`)).status).toBe(200);
  const claims = async (key: typeof a) => {
    const { body: fleet } = await ask<{ claims: { requests: { request_id: string }[] } }>(key, '/instances?detail=1');
    return fleet.claims.requests.map(({ request_id: one }) => one).toSorted();
  };
  expect(await claims(a)).toEqual(own.toSorted());
  expect(await claims(b)).toHaveLength(6);
  const listed: string[] = [];
  let after = '';
  do {
    const page = await ask<{ requests: { request_id: string }[]; next: string | null }>(a, `/requests?limit=1&after=${after}`);
    listed.push(...page.body.requests.map(({ request_id: one }) => one));
    after = page.body.next ?? '';
  } while (after !== '');
  expect(listed).toEqual(own.toReversed());
  expect(await ask(a, `/prewarm?req_id=${id}`, { method: 'DELETE' })).toMatchObject({ status: 200, body: { status: 'STOPPED' } });
});

test('a changed file of keys takes effect within two seconds, and a wrong one changes nothing', async () => {
  const { flags } = await openEdge();
  const path = keyFile(`a=${FULL}\n`);
  const served = await serve([...flags, '--api-key-file', path], NONE);
  const statusOf = async (key: string) => (await ask(served, '/requests', { key })).status;
  expect(await statusOf(FULL)).toBe(200);
  writeFileSync(path, `a=${FULL}\nb=${OTHER}\n`);
  await vi.waitFor(async () => expect(await statusOf(OTHER)).toBe(200), { timeout: 5000, interval: 200 });
  expect(await statusOf(FULL)).toBe(200);
  writeFileSync(path, `b=${OTHER}\n`);
  await vi.waitFor(async () => expect(await statusOf(FULL)).toBe(403), { timeout: 5000, interval: 200 });
  chmodSync(path, 0o644);
  const untilTold = async () => {
    expect(await statusOf(OTHER)).toBe(200);
    expect(served.stderr()).toContain('the keys stay as they were');
  };
  await vi.waitFor(untilTold, { timeout: 5000, interval: 200 });
  expect(await statusOf(OTHER)).toBe(200);
  expect(served.stderr()).not.toMatch(/suite/);
});

test('the server logs wrong keys with their address once a second, slows them down after ten, and never delays right keys', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const timed = async (key: string) => {
    const start = performance.now();
    const { status } = await ask(served, '/requests', { key });
    return { status, ms: performance.now() - start };
  };
  const first = await Promise.all(Array.from({ length: 10 }, () => timed('wrong')));
  expect(first.every(({ status, ms }) => status === 403 && ms < 900)).toBe(true);
  const slow = Promise.all([timed('wrong'), timed('wrong'), timed('wrong')]);
  const right = await Promise.all(Array.from({ length: 20 }, () => timed(KEY)));
  expect(right.every(({ status, ms }) => status === 200 && ms < 900)).toBe(true);
  const times = (await slow).map(({ ms }) => ms).toSorted((x, y) => x - y);
  expect(times.map((ms, nth) => ms > 990 * (nth + 1))).toEqual([true, true, true]);
  // A missing key is no guess.
  const missing = performance.now();
  expect(await ask(served, '/requests', { key: null })).toMatchObject(FORBIDDEN);
  expect(performance.now() - missing).toBeLessThan(900);
  expect(await served.stop()).toBe(0);
  const refusals = loggedBy(served).filter(({ status, msg }) => status === 403 || String(msg).startsWith('answered further'));
  expect(refusals[0]).toMatchObject({ msg: 'answered', status: 403, route: '/requests', from: '127.0.0.1' });
  expect(refusals.length).toBeLessThan(10);
  const counted = refusals.reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
  expect(counted).toBe(14);
});

test("the caller's address is the peer's, or the one that the nearest declared proxy names", () => {
  const platform = { incoming: { socket: { remoteAddress: '192.0.2.1' } } };
  const from = (forwarded: string | null, trust: boolean) =>
    addressOf(new Request('http://x/', { headers: forwarded === null ? {} : { 'x-forwarded-for': forwarded } }), platform, trust);
  expect(from('198.51.100.9', false)).toBe('192.0.2.1');
  expect(from('203.0.113.1, 198.51.100.9', true)).toBe('198.51.100.9');
  expect(from('203.0.113.1, forged\n', true)).toBe('192.0.2.1');
  expect(from(null, true)).toBe('192.0.2.1');
});

test('the server refuses more than a thousand connections, and serves those that are open', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  expect((await ask(served, '/healthz', { key: null })).status).toBe(200);
  const { hostname, port } = new URL(served.url);
  const sockets = Array.from({ length: 1010 }, () => connect(Number(port), hostname).on('error', () => {}));
  try {
    await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => null)));
    await vi.waitFor(() => expect(sockets.filter((socket) => socket.closed).length).toBeGreaterThanOrEqual(10), 5000);
    expect(sockets.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(1000);
    const taken = sockets.filter((socket) => !socket.closed).at(-1) ?? connect(Number(port), hostname);
    taken.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [chunk] = (await once(taken, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^HTTP\/1.1 200/);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
