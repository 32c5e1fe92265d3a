import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { createAnswerCheck, readDocument } from './answer-check.ts';
import { ask, hasEnded, KEY, newDataDir, objectUrls, openEdge, type Progress, type Served, serve, submit, until } from './served.ts';

const run = promisify(execFile);
const TIMESTAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
const NOPE = 'https://d111111abcdef8.cloudfront.net/nope,"1"';

async function curl(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '10', '-H', `x-api-key: ${KEY}`, ...args]);
  return JSON.parse(stdout);
}

test('requests of existing users still work, by curl and with its form type', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--data-dir', newDataDir(), '--show-success-urls']);
  const check = createAnswerCheck(await readDocument(served));
  const file = join(temporaryDir(), 'body.json');
  const body = {
    url_list: [...objectUrls(3), NOPE],
    cf_domain: 'd111111abcdef8.cloudfront.net',
    target_type: 'pop',
    pops: ['sin2-p1', 'FRA56-P4'],
  };
  writeFileSync(
    file,
    JSON.stringify({ ...body, countries: 'odd, but not read', regions: [1], header: [], note: 'unknown fields are ignored' }),
  );

  const accepted = (await curl('-d', `@${file}`, `${served.url}/prewarm`)) as Record<string, string>;
  check('POST', '/prewarm', { status: 200, body: accepted });
  expect(accepted).toEqual({
    status: 'Success',
    error_message: '',
    error_urls: [],
    request_id: expect.stringMatching(UUID),
    requestID: accepted['request_id'],
    timestamp: expect.stringMatching(TIMESTAMP),
    timeout_at: expect.stringMatching(TIMESTAMP),
  });
  const minutes = (Date.parse(`${accepted['timeout_at']}Z`) - Date.parse(`${accepted['timestamp']}Z`)) / 60_000;
  expect(minutes).toBe(30);

  const id = accepted['request_id'] ?? '';
  expect(await until(served, id, hasEnded)).toMatchObject({ status: 'FINISHED', total_count: 8, download_count: 6, failed_count: 2 });
  const progress = await curl(`${served.url}/prewarm?req_id=${id}&detail=pops`);
  check('GET', '/prewarm', { status: 200, body: progress });
  expect(progress).toMatchObject({ percentage_complete: 100, pops: [{ pop: 'SIN2-P1', total_count: 4 }, { pop: 'FRA56-P4' }] });

  const status = await curl(`${served.url}/status?requestID=${id}`);
  check('GET', '/status', { status: 200, body: status });
  const bad = ['https://d111111abcdef8.cloudfront.net/nope,%221%22'];
  expect(status).toEqual({
    status: 'COMPLETED',
    total: 4,
    completed: 3,
    inProgress: 0,
    failedUrl: bad,
    inProgressUrl: [],
    successUrl: objectUrls(3),
  });
  await checkSummary(served, id, bad, check);

  const list = await curl(`${served.url}/requests`);
  check('GET', '/requests', { status: 200, body: list });
  expect(list).toMatchObject({ requests: [{ request_id: id, made_by: 'default', url_count: 4, pop_count: 2 }], next: null });
  const fleet = await curl(`${served.url}/instances`);
  check('GET', '/instances', { status: 200, body: fleet });
  expect(Object.keys(fleet as object)).toEqual(['status', 'timestamp', 'message', 'desiredcapacity']);
  const detail = await curl(`${served.url}/instances?detail=1`);
  check('GET', '/instances', { status: 200, body: detail });
  expect(detail).toMatchObject({ desiredcapacity: 0, agents: [{ type: null }] });
});

async function checkSummary(
  served: Served,
  id: string,
  bad: readonly string[],
  check: ReturnType<typeof createAnswerCheck>,
): Promise<void> {
  const summary = (await curl(`${served.url}/summary?req_id=${id}`)) as { failure_pop_urls_report: string };
  check('GET', '/summary', { status: 200, body: summary });
  expect(summary).toMatchObject({ request_id: id, failure_pops: ['SIN2-P1', 'FRA56-P4'], failure_urls: bad, status: 'FINISHED' });
  const link = summary.failure_pop_urls_report;
  const failed = parse<Record<string, string>>(await (await fetch(link)).text(), { columns: true });
  expect(failed.map(({ url, outcome, reason }) => ({ url, outcome, reason }))).toEqual(
    Array.from({ length: 2 }, () => ({ url: bad[0], outcome: 'failed', reason: 'status_404' })),
  );
  const path = new URL(link).pathname;
  expect(parse((await ask<string>(served, path)).body, { columns: true })).toHaveLength(8);
  expect(parse((await ask<string>(served, `${path}?outcome=failed`)).body, { columns: true })).toHaveLength(2);
  expect((await ask(served, path, { key: 'wrong' })).status).toBe(403);
  const edited = [link.replace(/expires=\d+/, 'expires=4000000000'), link.replace(/token=..../, 'token=AAAA')];
  // A link shows what it was made for and nothing else.
  for (const forged of [...edited, link.replace('&outcome=failed', '')]) {
    const answer = await fetch(forged);
    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 403, body: '{"message":"Forbidden"}' });
  }
}

test('both forms of the body choose the same POPs, and an empty list means the default ones', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const popsOf = async (fields: object) => {
    const id = await submit(served, { url_list: objectUrls(1), ...fields });
    const row = (await ask<{ requests: { request_id: string; pop_count: number }[] }>(served, '/requests')).body.requests[0];
    expect(row?.request_id).toBe(id);
    return row?.pop_count;
  };
  expect(await popsOf({ region: ['SIN2-P1', 'FRA56-P4'] })).toBe(2);
  expect(await popsOf({ region: ['ca', 'jp'] })).toBe(4);
  expect(await popsOf({ target_type: 'region', regions: ['ca', 'jp'] })).toBe(4);
  expect(await popsOf({ target_type: 'country', countries: ['japan', 'SG'] })).toBe(4);
  const all = await popsOf({ region: 'all' });
  expect(all).toBeGreaterThan(25);
  expect(await popsOf({})).toBe(all);
  expect(await popsOf({ pops: [] })).toBe(all);
});

test('an idempotency key makes one request of all calls with the same body, and refuses another body', async () => {
  const { flags } = await openEdge();
  const dataDir = newDataDir();
  const keys = ['--api-key', `ci=${KEY}`, '--api-key', 'other=other-key', '--data-dir', dataDir];
  const served = await serve([...flags, ...keys]);
  const body = { url_list: objectUrls(2), pops: ['SIN2-P1'] };
  const send = (at: Pick<Served, 'url'>, sent: object, key = KEY) =>
    ask<{ request_id: string }>(at, '/prewarm', { body: sent, key, headers: { 'Idempotency-Key': 'launch-1' } });
  const first = await Promise.all(Array.from({ length: 8 }, () => send(served, body)));
  const [one] = first;
  expect(first.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  expect(new Set(first.map(({ body: { request_id: id } }) => id)).size).toBe(1);
  // The order of the fields makes no other body.
  expect((await send(served, { pops: ['SIN2-P1'], url_list: objectUrls(2) })).body).toEqual(one?.body);
  expect(await send(served, { ...body, timeout: 31 })).toMatchObject({
    status: 409,
    body: { status: 'Failed', error_message: expect.stringContaining('Idempotency-Key') },
  });
  const others = await send(served, body, 'other-key');
  expect(others.body.request_id).not.toBe(one?.body.request_id);
  await served.kill();

  const again = await serve([...flags, ...keys]);
  expect((await send(again, body)).body).toEqual(one?.body);
  const list = await ask<{ requests: { made_by: string }[] }>(again, '/requests');
  expect(list.body.requests.map(({ made_by: by }) => by).toSorted()).toEqual(['ci', 'other']);
});

test('the server lists requests page by page, newest first, and ended requests do not change', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.unshift(await submit(served, { url_list: objectUrls(1), pops: ['SIN2-P1'] }));
  const seen: string[] = [];
  let after = '';
  for (let pages = 0; pages < 3; pages++) {
    const page = await ask<{ requests: { request_id: string }[]; next: string | null }>(
      served,
      `/requests?limit=2&after=${encodeURIComponent(after)}`,
    );
    seen.push(...page.body.requests.map(({ request_id: id }) => id));
    after = page.body.next ?? 'end';
  }
  expect(seen).toEqual(ids);
  expect(after).toBe('end');

  const [id = ''] = ids;
  await until(served, id, hasEnded);
  const cancelled = await ask<Progress>(served, `/prewarm?req_id=${id}`, { method: 'DELETE' });
  expect(cancelled).toMatchObject({ status: 200, body: { request_id: id, status: 'FINISHED' } });
});

test('the health check needs no key, the figures need one, and both are true', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--max-agents', '3']);
  expect((await ask(served, '/healthz', { key: null })).body).toMatchObject({ status: 'ok' });
  await ask(served, '/prewarm?req_id=x');
  const { body, headers } = await ask<string>(served, '/metrics');
  expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(body).toContain('prewarm_http_requests_total{route="/prewarm",method="GET",status="404"} 1\n');
  expect(body).toContain('prewarm_fleet_maximum 3\n');
  for (const line of body.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [\d.e+-]+)$/);
});
