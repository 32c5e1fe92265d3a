import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { KEY, objectUrls, openEdge, serve } from '../../server/served.ts';
import { verifyAccount } from './verify-account.ts';

const SCRIPT = fileURLToPath(new URL('scripts/verify.ts', import.meta.url));
const POPS = ['SIN2-P1', 'FRA56-P4'];

test('the verification passes for a server that warms what it is asked to', async () => {
  const { flags } = await openEdge();
  const { url } = await serve(flags);
  const warming = { urls: objectUrls(3, 'verified'), pops: POPS, withinMs: 30_000 };
  const verdicts = await Array.fromAsync(verifyAccount({ url, key: KEY }, warming));
  expect(verdicts.filter(({ holds }) => !holds)).toEqual([]);
  expect(verdicts.at(-2)?.seen).toMatch(/: FINISHED, 6 warmed and 0 there of 6$/);
  expect(verdicts.at(-1)?.seen).toMatch(/: FINISHED, 0 warmed and 6 there of 6$/);
}, 60_000);

test('the verification names each failed check and what was seen', async () => {
  const { edge, flags } = await openEdge();
  const { url } = await serve(flags);
  edge.setFault({ path: '*', method: 'GET' }, { kind: 'status', status: 403 });
  const wrongKey = await Array.fromAsync(verifyAccount({ url, key: 'a-key-that-is-wrong' }, null));
  expect(wrongKey.filter(({ holds }) => !holds).map(({ what }) => what)).toContain('the key of the outputs opens the API');
  const warming = { urls: objectUrls(1, 'refused'), pops: POPS, withinMs: 30_000 };
  const verdicts = await Array.fromAsync(verifyAccount({ url, key: KEY }, warming));
  expect(verdicts.filter(({ holds }) => !holds)).toEqual([
    expect.objectContaining({ what: 'URLs are warmed through the POPs', seen: expect.stringContaining('0 warmed and 0 there of 2') }),
    expect.objectContaining({ what: 'the same URLs are there the second time' }),
  ]);
}, 60_000);

test.each([
  [['https://www.example.com/a'], 'URLs and --pops go together'],
  [['--pops', 'SIN2-P1'], 'URLs and --pops go together'],
  [['--minutes', '0'], '--minutes: 0: pass a number above 0'],
  [['--stak', 'x'], "Unknown option '--stak'"],
])('the command refuses %j with words and asks nothing', (args, words) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(words);
});
