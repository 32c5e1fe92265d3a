import { expect, test } from 'vitest';
import { ask, objectUrls, openEdge, type Served, serve } from '../server/served.ts';
import { KEY } from '../server/served.ts';
import { prewarm } from '../cli/prewarm-command.ts';

const MISSING = 'https://d111111abcdef8.cloudfront.net/missing';
const ID = /[\da-f]{8}-[\da-f-]{27}/;

const client = ({ url }: Served, ...args: string[]) => prewarm(args, { PREWARM_ENDPOINT: url, PREWARM_API_KEY: KEY });
const urlFlags = (urls: readonly string[]) => urls.flatMap((url) => ['--url', url]);
const idIn = (text: string) => ID.exec(text)?.[0] ?? '';

test('--min-success and --strict judge the end in submit --wait and in status --wait alike', async () => {
  const { flags } = await openEdge({ pops: [{ pop: 'FRA56-P4' }, { pop: 'SIN2-P1' }, { pop: 'SIN2-P2' }] });
  const served = await serve(flags);
  // Two of three targets are warm, and one of two POPs is there.
  const half = await client(
    served,
    'submit',
    ...urlFlags([...objectUrls(2), MISSING]),
    '--countries',
    'DE',
    '--wait',
    '--min-success',
    '66%',
  );
  expect(half).toMatchObject({ code: 0, stdout: expect.stringContaining('1 failed, in ') });
  expect(half.stdout).toContain(', at 1 of 2 POPs; 1 has no address: FRA60-P1.\n');
  const id = idIn(half.stderr);
  for (const [options, code] of [
    [[], 1],
    [['--min-success', '66%'], 0],
    [['--min-success', '67%'], 1],
    [['--min-success', '66%', '--strict'], 1],
  ] as const)
    expect([options, (await client(served, 'status', id, '--wait', ...options)).code]).toEqual([options, code]);

  const strict = await client(served, 'submit', ...urlFlags(objectUrls(2)), '--countries', 'DE', '--wait', '--strict');
  expect(strict.code).toBe(1);
  const lost = await client(served, 'submit', ...urlFlags(objectUrls(2)), '--countries', 'singapore,JP', '--wait', '--min-success', '1%');
  expect(lost).toMatchObject({ code: 1, stdout: expect.stringContaining('; no POP is left of JP.\n') });
  const most = await client(served, 'submit', ...urlFlags(objectUrls(2)), '--regions', 'eu', '--wait', '--min-success', '1%');
  expect(most).toMatchObject({ code: 1, stdout: expect.stringContaining(', at 1 of 10 POPs; 9 have no address: ') });
  expect(await client(served, 'submit', ...urlFlags(objectUrls(2)), '--pops', 'SIN2-P1', '--wait', '--strict')).toMatchObject({ code: 0 });
}, 60_000);

test("the client shows a request's name wherever it shows the request, and refuses a name that cannot be shown", async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const named = await client(served, 'submit', ...urlFlags([MISSING]), '--pops', 'SIN2-P1', '--wait', '--name', ' spring launch ');
  const id = idIn(named.stderr);
  expect(named.code).toBe(1);
  for (const path of [`/prewarm?req_id=${id}`, `/summary?req_id=${id}`])
    expect(await ask(served, path)).toMatchObject({ status: 200, body: { request_id: id, name: 'spring launch' } });
  expect((await ask(served, '/requests')).body).toMatchObject({ requests: [{ request_id: id, name: 'spring launch' }] });
  const json = await Promise.all([client(served, 'status', id, '--json'), client(served, 'summary', id, '--json')]);
  for (const { stdout } of json) expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ name: 'spring launch' });
  const [requests, summary] = await Promise.all([client(served, 'requests'), client(served, 'summary', id)]);
  expect(requests.stdout).toContain('spring launch');
  expect(summary.stdout).toContain('spring launch');

  const nameless = await client(served, 'submit', ...urlFlags(objectUrls(1)), '--pops', 'SIN2-P1');
  expect((await ask(served, `/prewarm?req_id=${nameless.stdout.trim()}`)).body).toMatchObject({ name: null });
  for (const name of ['', '   ', 'a\nb', 'x'.repeat(101), '\u202Eevil']) {
    const fault = 'write 1 to 100 characters that can be printed';
    const refused = await ask<{ error_message: string }>(served, '/prewarm', {
      body: { url_list: objectUrls(1), pops: ['SIN2-P1'], name },
    });
    expect({ status: refused.status, told: refused.body.error_message }).toEqual({ status: 400, told: expect.stringContaining(fault) });
    expect(refused.body.error_message).toMatch(/^name: /);
  }
  const refused = await client(served, 'submit', ...urlFlags(objectUrls(1)), '--name', 'x'.repeat(101));
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--name: ') });
}, 60_000);
