import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent as HttpAgent, get as getHttp, type IncomingMessage, request } from 'node:http';
import { Agent as HttpsAgent, get as getHttps } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createEdgeCertificates } from '../../../simulator/edge-certificates.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

const SERVICE = fileURLToPath(new URL('../../../lib/dynamic-origin/current-time.mjs', import.meta.url));
const certificates = await createEdgeCertificates(['origin.test']);
const { cert, key } = certificates.leaf;

interface Time {
  readonly time: string;
  readonly epoch_ms: number;
  readonly connection: { readonly kind: string; readonly age_ms: number; readonly requests: number };
}

function start(env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, [SERVICE], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

/** Starts the service; resolves to its port when it listens. */
async function open(env: Readonly<Record<string, string>> = {}): Promise<{ child: ChildProcess; port: number; tls: boolean }> {
  const child = start(env);
  if (child.stdout === null) throw new Error('no output');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { listening, tls } = JSON.parse(line.toString()) as { listening: number; tls: boolean };
  return { child, port: listening, tls };
}

async function ask(
  port: number,
  path: string,
  agent: HttpAgent,
): Promise<{ headers: IncomingMessage['headers']; status: number; body: Time }> {
  const common = { host: '127.0.0.1', port, path, agent };
  const sent = agent instanceof HttpsAgent ? getHttps({ ...common, servername: 'origin.test' }) : getHttp(common);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { headers: response.headers, status: response.statusCode ?? 0, body: (await json(response)) as Time };
}

test('the service gives the time, and whether its connection is new or reused, how old it is and how much it has carried', async () => {
  const { port, tls } = await open();
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const first = await ask(port, '/time?zone=utc', agent);
  await sleep(50);
  const second = await ask(port, '/', agent);
  const other = await ask(port, '/', new HttpAgent());
  expect(tls).toBe(false);
  expect(first).toMatchObject({
    status: 200,
    headers: { 'x-connection': 'new', 'x-connection-count': '1', 'cache-control': 'no-store', 'content-type': 'application/json' },
    body: { connection: { kind: 'new', requests: 1 } },
  });
  expect(second.headers).toMatchObject({ 'x-connection': 'reused', 'x-connection-count': '2' });
  expect(Number(second.headers['x-connection-age'])).toBeGreaterThan(0.04);
  expect(other.headers['x-connection']).toBe('new');
  expect(Math.abs(Date.parse(first.body.time) - Date.now())).toBeLessThan(60_000);
});

test('the service keeps connections open for longer than CloudFront does, or for as long as it is set to', async () => {
  const { port } = await open();
  const { headers } = await ask(port, '/', new HttpAgent({ keepAlive: true }));
  expect(headers['keep-alive']).toBe('timeout=75');
  const short = await open({ KEEP_ALIVE_S: '1' });
  const agent = new HttpAgent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  await ask(short.port, '/', agent);
  await sleep(3500);
  expect((await ask(short.port, '/', agent)).headers['x-connection']).toBe('new');
});

test.each([
  ['one PEM file', () => ({ TLS_PEM_FILE: `${cert}${key}` })],
  ['a JSON file, as a secret may hold it', () => ({ TLS_PEM_FILE: JSON.stringify({ chain: cert, key }) })],
  ['the environment', () => ({ TLS_PEM: `${key}${cert}` })],
] satisfies [string, () => Record<string, string>][])('the service speaks TLS with chain and key from %s', async (_from, settings) => {
  const env: Record<string, string> = settings();
  if (env['TLS_PEM_FILE'] !== undefined) {
    const file = join(temporaryDir(), 'tls');
    writeFileSync(file, env['TLS_PEM_FILE']);
    env['TLS_PEM_FILE'] = file;
  }
  const { port, tls } = await open(env);
  const agent = new HttpsAgent({ ca: certificates.caPem, keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect(tls).toBe(true);
  expect((await ask(port, '/', agent)).headers['x-connection']).toBe('new');
  expect((await ask(port, '/', agent)).headers['x-connection']).toBe('reused');
});

test('the service does not start with wrong settings, reports all of them, and never shows a key', async () => {
  const file = join(temporaryDir(), 'tls');
  writeFileSync(file, `${certificates.wrongLeaf.cert}${key}`);
  const cases = [
    {
      env: { PORT: '70000', KEEP_ALIVE_S: '0', TLS_PEM_FILE: '/nonexistent' },
      says: ['TLS_PEM_FILE: ENOENT', 'PORT: "70000"', 'KEEP_ALIVE_S: "0"'],
    },
    { env: { TLS_PEM_FILE: file }, says: ['has a key that is not the first certificate'] },
    { env: { TLS_PEM: key }, says: ['holds no certificate chain with its private key'] },
    { env: { TLS_PEM: '{"chain": "secret-text' }, says: ['TLS_PEM: is neither PEM nor JSON'] },
  ];
  for (const { env, says } of cases) {
    const child = start(env);
    const [told, [code]] = await Promise.all([text(child.stderr ?? Readable.from([])), once(child, 'exit')]);
    expect(code).toBe(2);
    for (const part of says) expect(told).toContain(part);
    expect(told).not.toMatch(/PRIVATE KEY|secret-text/);
  }
});

test('the service answers other requests briefly and continues', async () => {
  const { port } = await open();
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect((await ask(port, '/healthz', agent)).body).toEqual({ status: 'ok' });
  expect((await ask(port, '/admin', agent)).status).toBe(404);
  const posted = request({ host: '127.0.0.1', port, method: 'POST', agent });
  posted.end('a body');
  const [refused] = (await once(posted, 'response')) as [IncomingMessage];
  refused.resume();
  expect(refused).toMatchObject({ statusCode: 405, headers: { allow: 'GET, HEAD' } });
  const garbage = connect(port, '127.0.0.1');
  garbage.write('not http\r\n\r\n');
  expect(await text(garbage)).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask(port, '/', agent)).status).toBe(200);
});

test('the service ends by SIGTERM with idle connections closed', async () => {
  const { child, port } = await open();
  const agent = new HttpAgent({ keepAlive: true });
  await ask(port, '/', agent);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
