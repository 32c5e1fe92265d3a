import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { progressWith } from '../cli/print/progress-fixture.ts';
import { prewarm } from '../cli/prewarm-command.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { type Scripted, standIn } from './api-stand-in.ts';

const ID = '3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f';
const URL_FLAG = ['--url', 'https://www.example.com/a.html'];
const KEY = 'key-of-this-test';

const accepted: Scripted = {
  status: 200,
  body: { status: 'Success', error_message: '', error_urls: [], request_id: ID, timestamp: '2026-01-01 00:00:00.000000', timeout_at: null },
};
const finished: Scripted = {
  status: 200,
  body: { ...progressWith({ request_id: ID, status: 'FINISHED', percentage_complete: 100 }), pops: [] },
};

const ask = (url: string, args: readonly string[]) => prewarm([...args], { PREWARM_ENDPOINT: url, PREWARM_API_KEY: KEY });

describe('a call of the API', () => {
  test.each(['/prod', '/prod/', '/a/b//'])('an API call goes below the base path %s and carries the key as a header', async (base) => {
    const api = await standIn(() => finished);
    const ended = await ask(api.url + base, ['status', ID]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(api.asked).toMatchObject([
      { method: 'GET', url: `${base.replace(/\/+$/, '')}/prewarm?req_id=${ID}&detail=pops`, headers: { 'x-api-key': KEY } },
    ]);
  });

  test.each([
    { answer: { status: 403, body: { message: 'Forbidden' } }, code: 2, says: 'refused the key; give the right one by PREWARM_API_KEY' },
    { answer: { status: 403, body: { message: 'Missing Authentication Token' } }, code: 2, says: 'has no GET /prewarm; is --endpoint' },
    {
      answer: { status: 404, body: { status: 'Failed', error_message: 'req_id: no such request', error_urls: [] } },
      code: 2,
      says: `knows no request ${ID}`,
    },
    { answer: { status: 404, body: '<html>nginx</html>' }, code: 2, says: 'has no GET /prewarm; is --endpoint' },
    {
      answer: { status: 400, body: { status: 'Failed', error_message: 'detail:\nbad\u001b[2J', error_urls: [] } },
      code: 2,
      says: '(400: detail: bad',
    },
    {
      answer: { status: 409, body: { status: 'Failed', error_message: 'it has ended', error_urls: [] } },
      code: 1,
      says: 'cannot do that now: it has ended',
    },
    {
      answer: { status: 301, body: '', headers: { location: 'https://elsewhere.example/' } },
      code: 2,
      says: 'points to https://elsewhere.example/; give that',
    },
    { answer: { status: 502, body: '<html>bad gateway</html>' }, code: 1, says: 'failed at GET /prewarm (502)' },
    { answer: { status: 200, body: '<html>welcome</html>' }, code: 2, says: 'answered GET /prewarm with something else' },
    { answer: { status: 200, body: { request_id: ID } }, code: 2, says: 'answered GET /prewarm with something else' },
    { answer: null, code: 1, says: 'broke off GET /prewarm' },
  ])('an API call that is answered by $answer ends with one line and exit $code', async ({ answer, code, says }) => {
    const api = await standIn(() => answer);
    const ended = await ask(api.url, ['status', ID]);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toContain(says);
    expect(ended.stderr).toMatch(/^prewarm: http:[^\n]*\n$/);
    expect(ended.stderr).not.toContain('\u001b');
    expect(api.asked).toHaveLength(1);
  });

  test('an API call that reaches nobody says so in one line', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const ended = await ask(`http://127.0.0.1:${port}`, ['instances']);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toBe(
      `prewarm: http://127.0.0.1:${port} cannot be reached (ECONNREFUSED); is --endpoint right, and the server running?\n`,
    );
  });

  test('the client makes no call without a valid endpoint, key and id, and its faults do not show the key', async () => {
    const missing = await prewarm(['status', 'a/../b'], { PREWARM_ENDPOINT: '', PREWARM_API_KEY: '' });
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/--endpoint: is missing.*\n {2}--api-key: is missing.*\n {2}ID: "a\/..\/b": is no id/s);
    const wrong = await prewarm(['requests', '--limit', '0'], { PREWARM_ENDPOINT: 'ftp://x', PREWARM_API_KEY: 'two words' });
    expect(wrong.stderr).toMatch(/PREWARM_ENDPOINT: "ftp:\/\/x".*\n {2}PREWARM_API_KEY: holds blanks.*\n {2}--limit: "0"/s);
    expect(wrong.stderr).not.toContain('two words');
  });
});

describe('submit', () => {
  test('submit sends the options in the words of the API and leaves the rest to the server', async () => {
    const api = await standIn(() => accepted);
    const NOTIFY = 'https://hooks.example.com/a?b=c';
    const places = ['--countries', 'japan,DE', '--header', 'Accept-Encoding: gzip, br', '--domain', 'www.example.com'];
    const how = ['--timeout', '60', '--agents', '3', '--invalidate', '--accept-status', '200,404', '--notify-url', NOTIFY];
    expect(await ask(api.url, ['submit', ...URL_FLAG, ...places, ...how])).toMatchObject({ code: 0, stdout: `${ID}\n` });
    const json = await ask(api.url, ['submit', ...URL_FLAG, '--json']);
    expect(JSON.parse(json.stdout)).toEqual(accepted?.body);
    expect(api.asked.map(({ body }) => JSON.parse(body))).toEqual([
      {
        cf_domain: 'www.example.com',
        target_type: 'country',
        countries: ['japan', 'DE'],
        header: ['Accept-Encoding: gzip, br'],
        timeout: 60,
        instance_count: 3,
        need_invalidate: true,
        accept_status: [200, 404],
        notify_url: NOTIFY,
        url_list: ['https://www.example.com/a.html'],
      },
      { url_list: ['https://www.example.com/a.html'] },
    ]);
  });

  test('submit sends a request again under the same key only if its answer was lost', async () => {
    const api = await standIn((_, nth) => (nth === 1 ? null : nth === 2 ? { status: 503, body: 'busy' } : accepted));
    const ended = await ask(api.url, ['submit', ...URL_FLAG]);
    expect(ended).toMatchObject({ code: 0, stdout: `${ID}\n` });
    expect(ended.stderr).toContain('sending it again, which starts nothing twice');
    const keys = api.asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(new Set(api.asked.map(({ body }) => body)).size).toBe(1);
    await ask(api.url, ['submit', ...URL_FLAG]);
    expect(api.asked.at(-1)?.headers['idempotency-key']).not.toBe(keys[0]);
  });

  test('submit refuses a list beyond the limit before it sends anything, and reads no further', async () => {
    const api = await standIn(() => accepted);
    const file = join(temporaryDir(), 'long.csv');
    const line = `https://www.example.com/${'x'.repeat(1000)}`;
    const lines = (count: number) => Array.from({ length: count }, (_, n) => `${line}${n}\n`).join('');
    writeFileSync(file, `${lines(5300)}this line is bad\n`);
    const ended = await ask(api.url, ['submit', file]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('long.csv: makes a request of more than 5 MiB');
    expect(api.asked).toEqual([]);
    writeFileSync(file, lines(5000));
    expect((await ask(api.url, ['submit', file])).code).toBe(0);
    expect(api.asked[0]?.body.length).toBeLessThanOrEqual(5 * 1024 * 1024);
  });

  test('submit prints what a server with a lower limit refuses', async () => {
    const api = await standIn(() => ({ status: 413, body: { message: 'Request Too Long' } }));
    expect((await ask(api.url, ['submit', ...URL_FLAG])).stderr).toMatch(
      /^prewarm: http\S+ takes at most 5 MiB a request; split the list\n$/,
    );
  });

  test('submit reports every bad option and line together with exit 2, and sends nothing', async () => {
    const api = await standIn(() => accepted);
    const bad = ['--pops', 'Singapore', '--timeout', '0', '--agents', '1001', '--accept-status', '99', '--header', 'Host: x'];
    const ended = await ask(api.url, ['submit', ...bad]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    for (const field of ['FILE', '--pops', '--timeout', '--agents', '--accept-status', '--header'])
      expect(ended.stderr).toContain(`\n  ${field}: `);
    const file = join(temporaryDir(), 'urls.csv');
    writeFileSync(file, 'https://www.example.com/a\nftp://www.example.com/b\n');
    expect((await ask(api.url, ['submit', file])).stderr).toContain('urls.csv, line 2: "ftp://');
    expect(api.asked).toEqual([]);
    expect(await ask(api.url, ['submit', file, '--skip-bad'])).toMatchObject({ code: 0, stdout: `${ID}\n` });
    expect(api.asked).toHaveLength(1);
  });
});

describe('waiting', () => {
  test('a waiting command survives failures of the server and reports them once', async () => {
    const api = await standIn((_, nth) => (nth === 2 ? null : nth === 3 ? { status: 500, body: {} } : finished));
    const ended = await ask(api.url, ['status', ID, '--wait', '--json']);
    expect(ended.code).toBe(0);
    expect(ended.stderr.match(/trying again/g)).toHaveLength(1);
    expect(ended.stderr).toContain('the API answers again');
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'FINISHED' });
  });

  test.each([
    { end: { status: 'FINISHED', failed_count: 1 }, code: 1 },
    { end: { status: 'TIMEOUT' }, code: 1 },
    { end: { status: 'STOPPED' }, code: 1 },
    { end: { status: 'FAILED' }, code: 1 },
    { end: { status: 'FINISHED' }, code: 0 },
  ] as const)('a waiting command ends with $code at the end $end', async ({ end, code }) => {
    const api = await standIn(() => ({ status: 200, body: { ...progressWith(end), pops: [] } }));
    expect((await ask(api.url, ['status', ID, '--wait'])).code).toBe(code);
  });

  test('a waiting command does not report a request that is refused later as a fault of the input', async () => {
    const api = await standIn(({ method }) => (method === 'POST' ? accepted : { status: 403, body: { message: 'Forbidden' } }));
    const ended = await ask(api.url, ['submit', ...URL_FLAG, '--wait']);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain(`request ${ID} may go on: prewarm status ${ID} --wait`);
  });
});
