import { expect, test } from 'vitest';
import { ask, KEY, objectUrls, openEdge, serve } from '../server/served.ts';
import { prewarm } from '../cli/prewarm-command.ts';

test('submit --first-byte-timeout sets how long an answer is awaited and takes 1 to 180 seconds', async () => {
  const { flags } = await openEdge({ latencies: { edgeMs: 2500, regionalMs: 0, originMs: 0 } });
  const served = await serve(flags);
  const submit = (...args: readonly string[]) =>
    prewarm(['submit', '--url', objectUrls(1)[0] ?? '', '--pops', 'SIN2-P1', ...args], {
      PREWARM_ENDPOINT: served.url,
      PREWARM_API_KEY: KEY,
    });
  const hasty = await submit('--wait', '--first-byte-timeout', '1');
  expect(hasty).toMatchObject({ code: 1, stdout: expect.stringMatching(/\ntimeout: .*\n {2}because: no first byte within 1 s\n/) });
  expect((await submit('--wait', '--first-byte-timeout', '20')).code).toBe(0);
  for (const wrong of ['0', '181', '1.5', 'x']) {
    const refused = await submit('--first-byte-timeout', wrong);
    const fault = `--first-byte-timeout: "${wrong}": write a whole number of seconds from 1 to 180`;
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(fault) });
  }
  const { body } = await ask<{ requests: readonly unknown[] }>(served, '/requests');
  expect(body.requests).toHaveLength(2);
}, 60_000);

test('serve logs the name of a proxy variable that it does not use, and does not need a proxy', async () => {
  const { flags } = await openEdge();
  const proxy = 'http://user:secret@127.0.0.1:9';
  const served = await serve(flags, { PREWARM_API_KEY: KEY, HTTPS_PROXY: '', HTTP_PROXY: '', ALL_PROXY: proxy });
  expect(await ask(served, '/healthz', { key: null })).toMatchObject({ status: 200 });
  const told = served
    .stderr()
    .split('\n')
    .filter((line) => line.includes('is not used'));
  expect(told.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'warn', msg: expect.stringMatching(/^ALL_PROXY is not used: downloads go straight to the addresses of the POPs/) },
  ]);
  expect(served.stderr()).not.toContain('secret');
  const ended = await prewarm(['submit', '--url', objectUrls(1)[0] ?? '', '--pops', 'SIN2-P1', '--wait'], {
    PREWARM_ENDPOINT: served.url,
    PREWARM_API_KEY: KEY,
    ALL_PROXY: proxy,
  });
  expect(ended.code).toBe(0);
  expect(await served.stop()).toBe(0);
}, 60_000);
