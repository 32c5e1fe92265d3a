import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatLogLine } from '../../server/node/server-log.ts';
import { formatResultRow } from '../../core/report/result-row.ts';
import { plainText } from '../../core/plain-text.ts';
import { popWith, progressWith } from '../cli/print/progress-fixture.ts';
import { type Ended, prewarm } from '../cli/prewarm-command.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { standIn } from './api-stand-in.ts';

const ID = '3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f';
/** Sets a window's title, clears the screen in two ways, turns the reading direction, hides, and begins a line of its own. */
const HOSTILE = 'a\u001b]0;owned\u0007\u001b[2J\u009b2Jb\u202ec\u200bd\u2028e\r\nprewarm: all is well';
const SHOWN = String.raw`a\x1b]0;owned\x07\x1b[2J\x9b2Jb\u{202e}c\u{200b}d\u{2028}e\r\nprewarm: all is well`;
const RAW = /(?!\n)\p{Cc}|[\u200b\u2028\u202e]/u;

const ask = (url: string, args: readonly string[]) => prewarm([...args], { PREWARM_ENDPOINT: url, PREWARM_API_KEY: 'key' });

function expectPlain({ stdout, stderr }: Ended): void {
  expect(stdout).not.toMatch(RAW);
  expect(stderr).not.toMatch(RAW);
  expect(`${stdout}${stderr}`).not.toMatch(/^prewarm: all is well/m);
}

const summary = { request_id: ID, status: 'FINISHED', failure_pops: [HOSTILE], failure_urls: [HOSTILE], failure_pop_urls_report: HOSTILE };
const listed = {
  request_id: ID,
  status: 'FINISHED',
  made_by: HOSTILE,
  url_count: 1,
  pop_count: 1,
  total_count: 1,
  failed_count: 0,
  percentage_complete: 100,
  created_at: HOSTILE,
};
const progress = {
  ...progressWith({ request_id: ID, status: 'FAILED', status_reason: HOSTILE, failed_count: 1, skipped_pops: [HOSTILE] }),
  pops: [popWith({ pop: HOSTILE, failed_reasons: { [HOSTILE]: 1 }, failed_count: 1, near_count: 1 })],
};

test.each([
  { args: ['summary', ID], body: summary },
  { args: ['requests'], body: { requests: [listed], next: null } },
  { args: ['status', ID], body: progress },
  { args: ['status', ID, '--wait'], body: progress },
  { args: ['instances', '2'], body: { message: HOSTILE } },
])('no answer of a server to $args reaches the terminal raw, neither for people nor as JSON', async ({ args, body }) => {
  const api = await standIn(() => ({ status: 200, body }));
  const people = await ask(api.url, args);
  expectPlain(people);
  expect(`${people.stdout}${people.stderr}`).toContain('owned');
  const json = await ask(api.url, [...args, '--json']);
  expectPlain(json);
  expect(json.stdout).toContain(JSON.stringify(SHOWN).slice(1, 20));
});

test.each(['x; rm -rf ~ #', '$(id)', '--help', 'a\nb', ID.repeat(3)])(
  'the client refuses the request id %j and never prints it',
  async (id) => {
    const api = await standIn(() => ({ status: 200, body: { request_id: id, timeout_at: null } }));
    const ended = await ask(api.url, ['submit', '--url', 'https://www.example.com/a']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(
      /^prewarm: http\S+ answered POST \/prewarm with something else than the API would; is --endpoint right\?\n$/,
    );
  },
);

test('the client prints an error of a server as plain text', async () => {
  const api = await standIn(() => ({ status: 400, body: { status: 'Failed', error_message: HOSTILE, error_urls: [] } }));
  const ended = await ask(api.url, ['instances']);
  expectPlain(ended);
  expect(ended.stderr).toContain('\\u{202e}');
});

test('the client warns of a key that would travel by http to another machine, but not to this one', async () => {
  const far = await ask('http://192.0.2.1.invalid:1', ['instances']);
  expect(far.stderr).toContain('is asked by http, so others on the way can read the key; use https there\n');
  const api = await standIn(() => ({ status: 200, body: { desiredcapacity: 1 } }));
  expect(await ask(api.url, ['instances'])).toMatchObject({ code: 0, stderr: '' });
});

/** The edge map of an edge that answers by http, with these bytes in the headers that are shown. */
async function openHostileEdge(value: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.end(Buffer.from(`HTTP/1.1 200 OK\r\nx-cache: ${value}\r\nx-amz-cf-pop: ${value}\r\ncontent-length: 0\r\n\r\n`, 'latin1'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    await once(server, 'close');
  });
  const file = join(temporaryDir(), 'map.json');
  writeFileSync(file, JSON.stringify({ 'SIN2-P1': [`127.0.0.1:${(server.address() as AddressInfo).port}`] }));
  return file;
}

test.each([
  { format: [], shows: String.raw`x-cache: =HYPERLINK("http://x")\x9b2J` },
  { format: ['--csv'], shows: String.raw`"'=HYPERLINK(""http://x"")\x9b2J"` },
  { format: ['--json'], shows: String.raw`"x_cache":"=HYPERLINK(\"http://x\")\u009b2J"` },
])('timing $format prints nothing raw that an edge sends, and starts no formula', async ({ format, shows }) => {
  const map = await openHostileEdge('=HYPERLINK("http://x")\u009b2J');
  const args = ['timing', 'http://www.example.com/', '--edge-map', map, '--pops', 'SIN2-P1', '--allow-private-addresses', '--count', '1'];
  const ended = await prewarm([...args, ...format]);
  expect(ended.stdout).toContain(shows);
  expectPlain(ended);
});

test('no field of the log for people forges a line or steers a terminal', () => {
  const line = formatLogLine(
    JSON.stringify({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      msg: HOSTILE,
      text: HOSTILE,
      list: [HOSTILE],
      err: { stack: 'Error: x\n00:00:00.000 info  forged' },
    }),
  );
  expect(line.replaceAll('\n', '')).not.toMatch(RAW);
  expect(line).toContain(`text=${SHOWN}`);
  expect(line.split('\n').filter((one) => /^\d\d:\d\d/.test(one))).toHaveLength(1);
});

test('a report shows what an edge sent without the characters that steer a terminal', () => {
  const row = { url: 'https://www.example.com/', pop: 'SIN2-P1', variant: 'default', outcome: 'failed', reason: 'status_404' } as const;
  const times = { address: '192.0.2.1:443', bytes: 1, attempts: 1, ttfbMs: 1, totalMs: 1, finishedAt: 0, notes: '' };
  const sent = { xCacheFirst: '=1\u009b2J', xCacheLast: 'x\u007f', servedBy: 'SIN2-P1' };
  const text = formatResultRow({ ...row, ...times, ...sent, status: 404 });
  expect(text).toContain(String.raw`,404,'=1\x9b2J,x\x7f,SIN2-P1,`);
});

test('plain text in any script stays as it is', () => {
  const text = 'Zürich, 東京, Київ: 5 % "quoted" 👍';
  expect(plainText(text)).toBe(text);
});
