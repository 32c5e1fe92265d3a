import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BODY_BYTES, fillBody } from './large-body.ts';
import { ask, KEY, openEdge, type Served, serve, submit } from './served.ts';

/** A body takes up to a second on a machine at rest; a busy one is given time. */
const ANSWERED_WITHIN_MS = 10_000;
const OTHERS_WITHIN_MS = 3000;
const MOST_RESIDENT_KB = 300 * 1024;

const DOMAIN = '"cf_domain":"d111111abcdef8.cloudfront.net"';

const fill = (field: string, element: (at: number) => string, rest = DOMAIN) => fillBody(field, element, rest);

const GOOD_URLS = '"url_list":["https://d111111abcdef8.cloudfront.net/a"]';

const SHORT = /body.*more than 20000 texts of at most 10 characters/;

const BODIES: readonly (readonly [what: string, body: () => string, says: RegExp])[] = [
  ['objects instead of URLs', () => fill('url_list', () => '{}'), /more than 10000 objects and lists/],
  ['truths instead of URLs', () => fill('url_list', () => 'true'), /url_list.*list of URLs/],
  ['numbers instead of statuses', () => fill('accept_status', () => '1', GOOD_URLS), /accept_status/],
  ['POPs that are none', () => fill('pops', (at) => `"XX${at}"`, GOOD_URLS), SHORT],
  ['well-formed POPs', () => fill('pops', (at) => `"AAA${at}"`, GOOD_URLS), SHORT],
  ['well-formed POPs with blanks', () => fill('pops', (at) => `"AAA${at}          "`, GOOD_URLS), /pops.*holds \d+ names; write each/],
  ['7,000 well-formed POPs', () => fill('pops', (at) => `"AAA${at}${' '.repeat(700)}"`, GOOD_URLS), /pops.*more than 1000/],
  [
    'one POP, written in two ways',
    () => fill('pops', (at) => (at % 2 ? '"sin------------"' : '"SIN------------"'), GOOD_URLS),
    /pops.*holds/,
  ],
  ['countries that are none', () => fill('countries', (at) => `"atlantis${at}${' '.repeat(700)}"`, GOOD_URLS), /countries.*more than 1000/],
  ['fields', () => `{${Array.from({ length: 300_000 }, (_, at) => `"field_${at}":1`).join()}}`, /more than 10000 fields/],
  ['names of an older region', () => fill('region', (at) => `"nowhere-nowhere${at}"`, GOOD_URLS), /region/],
  ['header lines', () => fill('header', () => '"x: yyyyyyyyy"', GOOD_URLS), /header/],
  ['one URL of blanks', () => `{"url_list":["a${' '.repeat(BODY_BYTES - 40)}b"]}`, /url_list/],
  ['URLs of blanks', () => fill('url_list', () => `"a${' '.repeat(60_000)}b"`), /and \d+ more/],
  ['URLs of no-break spaces', () => fill('url_list', () => `"a${'\u00a0'.repeat(15_000)}b"`), /and \d+ more/],
  ['domains of blanks', () => `{${GOOD_URLS},"cf_domain":"a${' '.repeat(BODY_BYTES - 120)}b"}`, /cf_domain/],
  ['names of blanks', () => fill('pops', () => `"a${' '.repeat(60_000)}b"`, GOOD_URLS), /pops/],
  ['header lines of blanks', () => fill('header', () => `"x: a${' '.repeat(60_000)}b"`, GOOD_URLS), /header/],
  ['statuses as text of blanks', () => fill('accept_status', () => `"${' '.repeat(60_000)}"`, GOOD_URLS), /accept_status/],
  ['a name of a field, of blanks', () => `{${GOOD_URLS},"${' '.repeat(BODY_BYTES - 120)}":1,"pops":1}`, /pops/],
  ['quotes and backslashes', () => `{"url_list":["${'\\\\\\"'.repeat(BODY_BYTES / 5)}"]}`, /url_list/],
  ['brackets', () => '['.repeat(BODY_BYTES - 10), /more than 10000 objects and lists/],
  ['nothing but blanks', () => ' '.repeat(BODY_BYTES - 10), /is not JSON/],
  ['texts that are no URLs', () => fill('url_list', () => '"x"'), SHORT],
  ['URLs that are none', () => fill('url_list', () => '"www.example.com"'), /url_list.*and \d+ more/],
  [
    'URLs that are in order, for a domain that is none',
    () => fill('url_list', (at) => `"https://d1.cloudfront.net/${at}"`, '"cf_domain":"*"'),
    /cf_domain/,
  ],
];

const highWaterKb = ({ child }: Served) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);

/** Asks for the health again and again until `isOver`; the longest wait, milliseconds. */
async function watchHealth(url: string, isOver: () => boolean): Promise<number> {
  let longest = 0;
  while (!isOver()) {
    const start = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    longest = Math.max(longest, performance.now() - start);
    await sleep(10);
  }
  return longest;
}

test('the server answers a useless body of 5 MiB soon and in little memory, and serves others meanwhile', {
  timeout: 120_000,
}, async () => {
  const { flags } = await openEdge();
  const served = await serve(flags, { PREWARM_API_KEY: KEY, NODE_OPTIONS: '--max-old-space-size=512' });
  const figures: string[] = [];
  for (const [what, make, says] of BODIES) {
    const body = make();
    let isOver = false;
    const watch = watchHealth(served.url, () => isOver);
    const start = performance.now();
    const answer = await fetch(`${served.url}/prewarm`, { method: 'POST', headers: { 'x-api-key': KEY }, body });
    const { error_message: message } = (await answer.json()) as { error_message: string };
    const ms = performance.now() - start;
    isOver = true;
    const others = await watch;
    figures.push(`${what}: ${Math.round(ms)} ms, others ${Math.round(others)} ms, ${Math.round(highWaterKb(served) / 1024)} MB`);
    expect([what, answer.status]).toEqual([what, 400]);
    expect(message).toMatch(says);
    expect(message.length).toBeLessThan(20_000);
    expect(ms).toBeLessThan(ANSWERED_WITHIN_MS);
    expect(others).toBeLessThan(OTHERS_WITHIN_MS);
  }
  if (process.env['PREWARM_FIGURES'] === '1') process.stdout.write(`${figures.join('\n')}\n`);
  expect(highWaterKb(served)).toBeLessThan(MOST_RESIDENT_KB);
});

test('the server takes 5 MiB of good URLs and serves others meanwhile', { timeout: 60_000 }, async () => {
  const { flags } = await openEdge();
  const served = await serve(flags, { PREWARM_API_KEY: KEY, NODE_OPTIONS: '--max-old-space-size=512' });
  const body = fill('url_list', (at) => `"https://d111111abcdef8.cloudfront.net/o/1k/${at}"`, `${DOMAIN},"pops":["SIN2-P1"]`);
  let isOver = false;
  const watch = watchHealth(served.url, () => isOver);
  const start = performance.now();
  const answer = await fetch(`${served.url}/prewarm`, { method: 'POST', headers: { 'x-api-key': KEY }, body });
  const { request_id: id } = (await answer.json()) as { request_id: string };
  const ms = performance.now() - start;
  isOver = true;
  const others = await watch;
  await ask(served, `/prewarm?req_id=${id}`, { method: 'DELETE' });
  if (process.env['PREWARM_FIGURES'] === '1')
    process.stdout.write(
      `good URLs: ${Math.round(ms)} ms, others ${Math.round(others)} ms, ${Math.round(highWaterKb(served) / 1024)} MB\n`,
    );
  expect(answer.status).toBe(200);
  expect(ms).toBeLessThan(ANSWERED_WITHIN_MS);
  expect(others).toBeLessThan(OTHERS_WITHIN_MS);
  expect(highWaterKb(served)).toBeLessThan(MOST_RESIDENT_KB);
});

test('the server refuses a request of too many targets with the numbers, and takes one below the limit', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--max-targets', '3']);
  const urls = ['a', 'b'].map((name) => `https://d111111abcdef8.cloudfront.net/o/1k/${name}`);
  await expect(submit(served, { url_list: urls, pops: ['SIN2-P1', 'FRA56-P4'] })).rejects.toThrow(
    /makes 4 targets \(2 URLs at 2 POPs\).* 3 at most/,
  );
  expect(await submit(served, { url_list: urls, pops: ['SIN2-P1'] })).toMatch(/^[\da-f-]{36}$/);
});

test('the server refuses a request that would invalidate too many paths, says why, and takes one below the limit', async () => {
  const { edge, flags } = await openEdge();
  const served = await serve([...flags, '--invalidation-endpoint', edge.invalidationEndpoint, '--max-invalidation-paths', '2']);
  const host = '://d111111abcdef8.cloudfront.net/o/1k/';
  const urls = (...names: string[]) => ({
    url_list: names.flatMap((name) => [`http${host}${name}`, `https${host}${name}`]),
    pops: ['SIN2-P1'],
    need_invalidate: true,
  });
  await expect(submit(served, urls('a', 'b', 'c'))).rejects.toThrow(
    /need_invalidate: .*more than 2 paths.*MaxInvalidationPaths.*--max-invalidation-paths/,
  );
  expect(edge.invalidations.count).toBe(0);
  expect(await submit(served, urls('a', 'b'))).toMatch(/^[\da-f-]{36}$/);
});
