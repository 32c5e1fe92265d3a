import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KEY, openEdge, type Served, serve, submit } from './served.ts';

const BODY_BYTES = 5 * 1024 * 1024;
/** A body takes up to a second on a machine at rest; a busy one is given time. */
const ANSWERED_WITHIN_MS = 10_000;
const OTHERS_WITHIN_MS = 3000;
const MOST_RESIDENT_KB = 300 * 1024;

/** A body with as many elements as fit into 5 MiB. */
function fill(field: string, element: (at: number) => string, rest = '"cf_domain":"d111111abcdef8.cloudfront.net"'): string {
  const elements: string[] = [];
  for (let bytes = 200, at = 0; bytes < BODY_BYTES; at++) {
    const text = element(at);
    bytes += text.length + 1;
    if (bytes < BODY_BYTES) elements.push(text);
  }
  return `{${rest},"${field}":[${elements.join()}]}`;
}

const GOOD_URLS = '"url_list":["https://d111111abcdef8.cloudfront.net/a"]';

const BODIES: readonly (readonly [what: string, body: () => string, says: RegExp])[] = [
  ['objects instead of URLs', () => fill('url_list', () => '{}'), /more than 10000 objects and lists/],
  ['truths instead of URLs', () => fill('url_list', () => 'true'), /url_list.*list of URLs/],
  ['numbers instead of statuses', () => fill('accept_status', () => '1', GOOD_URLS), /accept_status/],
  ['POPs that are none', () => fill('pops', (at) => `"XX${at}"`, GOOD_URLS), /pops.*more than 1000/],
  ['well-formed POPs', () => fill('pops', (at) => `"AAA${at}"`, GOOD_URLS), /pops.*more than 1000/],
  ['one POP, written in two ways', () => fill('pops', (at) => (at % 2 ? '"sin-"' : '"SIN-"'), GOOD_URLS), /SIN-/],
  ['countries that are none', () => fill('countries', (at) => `"atlantis${at}"`, GOOD_URLS), /countries.*more than 1000/],
  ['names of an older region', () => fill('region', (at) => `"nowhere${at}"`, GOOD_URLS), /region/],
  ['header lines', () => fill('header', () => '"x"', GOOD_URLS), /header/],
  ['URLs that are none', () => fill('url_list', () => '"x"'), /and \d+ more/],
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

test('a body of 5 MiB of anything is answered soon and in little memory, while others are served', { timeout: 120_000 }, async () => {
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

test('a request of more targets than the server takes is refused with the numbers, and one below is taken', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--max-targets', '3']);
  const urls = ['a', 'b'].map((name) => `https://d111111abcdef8.cloudfront.net/o/1k/${name}`);
  await expect(submit(served, { url_list: urls, pops: ['SIN2-P1', 'FRA56-P4'] })).rejects.toThrow(
    /makes 4 targets \(2 URLs at 2 POPs\).* 3 at most/,
  );
  expect(await submit(served, { url_list: urls, pops: ['SIN2-P1'] })).toMatch(/^[\da-f-]{36}$/);
});
