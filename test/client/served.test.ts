import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Progress } from '../../core/report/progress.ts';
import { hasEnded, KEY, newDataDir, objectUrls, openEdge, type Served, serve, until } from '../server/served.ts';
import { MAIN, prewarm } from '../cli/prewarm-command.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

const MISSING = 'https://d111111abcdef8.cloudfront.net/missing';
const POPS = ['--pops', 'SIN2-P1,FRA56-P4'];

const environment = ({ url }: Served) => ({ PREWARM_ENDPOINT: url, PREWARM_API_KEY: KEY });
const client = (served: Served, ...args: string[]) => prewarm(args, environment(served));

function listOf(urls: readonly string[]): string {
  const file = join(temporaryDir(), 'urls.csv');
  writeFileSync(file, `url\n${urls.join('\n')}\n`);
  return file;
}

const objects = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Progress);

test('submit --wait shows progress, tables and the exit code of run, and the other commands show the same request', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const warm = await client(served, 'submit', listOf(objectUrls(5)), ...POPS, '--wait');
  expect(warm.code).toBe(0);
  expect(warm.stdout).toMatch(/^POP +City .*\n─+\nSIN2-P1 +Singapore +5 +5 +0 +0 +5 .*\nFRA56-P4 .*\ntotal +10 +10 +0 +0 +10 /);
  expect(warm.stdout).toMatch(/\n10 of 10 targets warm and verified in .*\.\n$/);
  expect(warm.stderr).toMatch(/^request [\da-f-]{36}\n/);
  expect(warm.stderr).toContain('FINISHED: 100%, 10/10 targets');

  const partly = await client(served, 'submit', listOf([...objectUrls(5), MISSING]), ...POPS, '--wait', '--json');
  expect(partly.code).toBe(1);
  const last = objects(partly.stdout).at(-1);
  expect(last).toMatchObject({ status: 'FINISHED', total_count: 12, already_warm_count: 10, failed_count: 2 });
  expect(last).toMatchObject({
    pops: [{ pop: 'SIN2-P1' }, { pop: 'FRA56-P4' }],
    failures: [{ reason: 'status_404', url: MISSING, pops: ['SIN2-P1', 'FRA56-P4'], targets: 2 }],
  });
  const id = last?.request_id ?? '';

  const [status, summary, json, requests, again] = await Promise.all([
    client(served, 'status', id),
    client(served, 'summary', id),
    client(served, 'summary', id, '--json'),
    client(served, 'requests'),
    client(served, 'status', id, '--wait', '--endpoint', `${served.url}/`),
  ]);
  expect(status).toMatchObject({ code: 0, stderr: '' });
  expect(status.stdout).toContain(`\nstatus_404: 1 URL at SIN2-P1, FRA56-P4: ${MISSING}\nAll failed targets: prewarm summary ${id}\n`);
  expect(status.stdout).toMatch(/\n10 of 12 targets warm and verified, 2 failed, in .*\.\n$/);
  expect(again).toMatchObject({ code: 1, stdout: status.stdout.replace(`summary ${id}\n`, `summary ${id} --endpoint ${served.url}/\n`) });
  expect(summary.stdout).toMatch(/^FINISHED: 2 targets failed: 1 URL at 2 POPs\.\nReport of all failed targets .*\nhttp:/);
  expect(summary.stdout).toContain('\nReasons:\n  status_404: 2 targets\n');
  expect(summary.stdout).toContain(`\n  ${MISSING}\n`);
  const { failure_pops: pops, failure_pop_urls_report: report } = JSON.parse(json.stdout) as Record<string, string | string[]>;
  expect(pops).toEqual(expect.arrayContaining(['SIN2-P1', 'FRA56-P4']));
  const rows = await (await fetch(String(report))).text();
  expect(rows.split('\n')).toHaveLength(4);
  const out = join(temporaryDir(), 'failed.csv');
  const saved = await client(served, 'summary', id, '--out', out);
  expect(saved).toMatchObject({ code: 0, stdout: expect.stringContaining(`\nReport of all failed targets: ${out}\n`) });
  expect(readFileSync(out, 'utf8')).toBe(rows);
  expect(await client(served, 'summary', id, '--out', join(out, 'below'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the report could not be written to'),
  });
  expect(requests.stdout.split('\n').slice(2)).toEqual([expect.stringContaining(id), expect.stringContaining('FINISHED'), '']);
});

test('requests pages through all requests, instances changes their number, and cancel ends a request', async () => {
  const { flags } = await openEdge({ latencies: { originMs: 20_000 } });
  const served = await serve(flags);
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await client(served, 'submit', '--url', objectUrls(1)[0] ?? '', ...POPS)).stdout.trim());
  const two = await client(served, 'requests', '--limit', '2', '--json');
  expect(objects(two.stdout).map((request) => request.request_id)).toEqual([ids[2], ids[1]]);

  expect((await client(served, 'instances', '1')).stdout).toMatch(/^\d+ agents? wanted\n$/);
  expect((await client(served, 'instances')).stdout).toMatch(/^\d+ agents? wanted \(\d+ running, at most \d+\)\n$/);
  expect(JSON.parse((await client(served, 'instances', '--json')).stdout)).toMatchObject({
    desiredcapacity: expect.any(Number) as number,
    claims: { operator: { agents: 1 }, requests: expect.arrayContaining([{ request_id: ids[0], agents: 1 }]) as object[] },
    agents: expect.arrayContaining([expect.objectContaining({ instance_id: null })]) as object[],
  });
  const none = await client(served, 'instances', '0', '--request', ids[0] ?? '');
  expect(none).toMatchObject({ code: 2, stdout: '' });
  expect(none.stderr).toContain('COUNT: "0": write a whole number from 1 to 1000');

  const early = await client(served, 'summary', ids[0] ?? '');
  expect(early).toMatchObject({ code: 1, stdout: '' });
  expect(early.stderr).toContain('ask again when it has ended');
  const waiting = client(served, 'status', ids[0] ?? '', '--wait');
  const cancelled = await client(served, 'cancel', ids[0] ?? '');
  expect(cancelled).toMatchObject({ code: 0, stderr: '' });
  expect(cancelled.stdout).toMatch(/^STOPPED: /);
  expect(await waiting).toMatchObject({ code: 1, stdout: expect.stringContaining('Stopped: 0 of 2 targets') as string });
  expect((await client(served, 'status', '3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f')).stderr).toContain('knows no request 3e1c9d3a');
  expect(await prewarm(['requests', '--api-key', 'other'], environment(served))).toMatchObject({ code: 2, stdout: '' });
});

test('Ctrl-C during a wait leaves the request running, says how to look at it, and exits with 130', async () => {
  const { flags } = await openEdge({ latencies: { originMs: 1500 } });
  const served = await serve(flags);
  const child = spawn(process.execPath, [MAIN, 'submit', listOf(objectUrls(3)), ...POPS, '--wait', '--endpoint', served.url], {
    env: { ...process.env, PREWARM_API_KEY: KEY },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (!stderr.includes('SIZING') && (stderr + text).includes('SIZING')) child.kill('SIGINT');
    stderr += text;
  });
  expect((await exited)[0]).toBe(130);
  const id = /request ([\da-f-]{36})/.exec(stderr)?.[1] ?? '';
  expect(stderr).toContain(
    `request ${id} goes on; follow it: prewarm status ${id} --wait --endpoint ${served.url}; end it: prewarm cancel`,
  );
  expect(await until(served, id, hasEnded)).toMatchObject({ status: 'FINISHED', download_count: 6 });
});

test('submit --wait waits for a server that is killed and started again', async () => {
  const { flags } = await openEdge({ latencies: { originMs: 1500 } });
  const dataDir = newDataDir();
  const first = await serve([...flags, '--data-dir', dataDir]);
  const waiting = client(first, 'submit', listOf(objectUrls(3)), ...POPS, '--wait');
  while (!(await client(first, 'requests')).stdout.startsWith('Request')) await sleep(50);
  await first.kill();
  await sleep(1000);
  await serve([...flags, '--data-dir', dataDir, '--port', new URL(first.url).port]);
  const ended = await waiting;
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('6 of 6 targets warm') as string });
  expect(ended.stderr).toContain('; trying again\n');
  expect(ended.stderr).toContain('the API answers again\n');
});
