import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EDGE_HOST, type EdgeCaches, type EdgePop, nginxAvailable, startEdgeCaches } from '../../../testing/nginx/edge-caches.ts';
import { judgeWarmth } from '../../../testing/nginx/judge-warmth.ts';

const KIB = 1024;
const POPS = ['SIN2-P1', 'FRA56-P4'];
const OBJECTS = [
  { path: 'small', bytes: KIB },
  { path: 'medium', bytes: 100 * KIB },
  { path: 'large', bytes: 3 * KIB * KIB },
  { path: 'a,b/c,d', bytes: KIB },
];
const WANTED = [
  { url: `https://${EDGE_HOST}/small`, bytes: KIB },
  { url: `https://${EDGE_HOST}/small?v=1`, bytes: KIB },
  { url: `https://${EDGE_HOST}/small?list=1,2,3&x=%22`, bytes: KIB },
  { url: `https://${EDGE_HOST}/medium`, bytes: 100 * KIB },
  { url: `https://${EDGE_HOST}/medium?size=xl`, bytes: 100 * KIB },
  { url: `https://${EDGE_HOST}/large`, bytes: 3 * KIB * KIB },
  { url: `https://${EDGE_HOST}/large?part=1,2`, bytes: 3 * KIB * KIB },
  { url: `https://${EDGE_HOST}/a,b/c,d`, bytes: KIB },
  { url: `http://${EDGE_HOST}/medium?over=http`, bytes: 100 * KIB },
];
const REPORT_HEAD =
  'url,pop,variant,outcome,reason,status,x_cache_first,x_cache_last,served_by,address,bytes,attempts,ttfb_ms,total_ms,finished_at,notes';

const MAIN = [fileURLToPath(new URL('../../../cli/main.ts', import.meta.url)), 'run'];
const RUN_WITH_AGENT = fileURLToPath(new URL('./broken/run-with-agent.ts', import.meta.url));
const HEAD_ONLY = fileURLToPath(new URL('./broken/head-only-agent.ts', import.meta.url));
const ABORTING = fileURLToPath(new URL('./broken/aborting-agent.ts', import.meta.url));

describe.skipIf(!nginxAvailable())('prewarm run through nginx caches (skipped where nginx is missing)', () => {
  let dir: string;
  let edge: EdgeCaches | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'run-through-nginx-'));
  });
  afterEach(async () => {
    await edge?.close();
    edge = undefined;
    await rm(dir, { recursive: true });
  });

  const startCold = async (each: Omit<EdgePop, 'pop'>) => {
    edge = await startEdgeCaches({ pops: POPS.map((pop) => ({ pop, ...each })), objects: OBJECTS });
    return edge;
  };

  /** Runs the command as a process, as a user would; its state directory is in `dir`. Throws unless it exits with 0. */
  const runPrewarm = async (edge: EdgeCaches, command: readonly string[]) => {
    const list = join(dir, 'urls.csv');
    const report = join(dir, 'report.csv');
    await writeFile(list, `url\n${WANTED.map(({ url }) => `"${url}"\n`).join('')}`);
    const args = [...command, list, '--pops', POPS.join(','), ...edge.flags, '--json', '--out', report];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: dir } });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    if (code !== 0) throw new Error(`the command ended with ${code}: ${stderr}`);
    return { final: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as unknown, report: await readFile(report, 'utf8') };
  };

  const checkReport = (report: string) => {
    expect(report.slice(0, report.indexOf('\n'))).toBe(REPORT_HEAD);
    const rows = parse<Record<string, string>>(report, { columns: true });
    const targets = (list: readonly (readonly [string | undefined, string | undefined])[]) =>
      list.map(([url, pop]) => `${pop} ${url}`).sort();
    expect(targets(rows.map(({ url, pop }) => [url, pop]))).toEqual(targets(POPS.flatMap((pop) => WANTED.map(({ url }) => [url, pop]))));
    for (const row of rows) {
      const { bytes } = WANTED.find(({ url }) => url === row['url']) ?? {};
      expect(row).toMatchObject({
        variant: 'default',
        outcome: 'warmed',
        reason: '',
        status: '200',
        x_cache_first: 'Miss from cloudfront',
        x_cache_last: 'Hit from cloudfront',
        served_by: row['pop'],
        bytes: String(bytes),
      });
      expect(row['notes']?.split(';')).toContain('verified');
    }
  };

  test.for([
    { caches: 'one cache per POP, at two addresses', addresses: 2, separate: false },
    { caches: 'two separate caches per POP', addresses: 2, separate: true },
    { caches: 'four separate caches per POP', addresses: 4, separate: true },
  ])('$caches: from cold, every address answers Hit for every URL, and the logs show whole GETs', async ({ addresses, separate }) => {
    const edge = await startCold({ addresses, separate });
    const { final, report } = await runPrewarm(edge, MAIN);
    const targets = WANTED.length * POPS.length;
    expect(final).toMatchObject({
      status: 'FINISHED',
      total_count: targets,
      download_count: targets,
      warmed_count: targets,
      already_warm_count: 0,
      failed_count: 0,
      verified_count: targets,
      percentage_complete: 100,
      download_size: WANTED.reduce((sum, { bytes }) => sum + bytes, 0) * POPS.length,
    });
    checkReport(report);
    expect(await judgeWarmth(edge, WANTED)).toEqual([]);
  });

  test.for([
    { how: 'only sends HEAD', agent: HEAD_ONLY, method: 'HEAD' },
    { how: 'goes away at the first byte', agent: ABORTING, method: 'GET' },
  ])('an agent that $how, and reports success, is found out', async ({ agent, method }) => {
    const edge = await startCold({ addresses: 2, separate: false });
    // It claims to have warmed everything: what rejects it is the judge, not a fault of its own.
    const { final } = await runPrewarm(edge, [RUN_WITH_AGENT, agent]);
    expect(final).toMatchObject({ status: 'FINISHED', failed_count: 0, percentage_complete: 100 });
    const { edge: asked } = await edge.readLogs();
    for (const { cache } of asked) expect(POPS).toContain(cache);
    const { search, pathname } = new URL(`https://${EDGE_HOST}/large?part=1,2`);
    expect(asked.some((entry) => entry.uri === `${pathname}${search}` && entry.method === method)).toBe(true);
    const faults = (await judgeWarmth(edge, WANTED)).join('\n');
    for (const pop of POPS) {
      expect(faults).toContain(`${pop} https://${EDGE_HOST}/large: no whole GET in the log`);
      expect(faults).toMatch(new RegExp(`${pop} \\S+ https://${EDGE_HOST}/large: 200 Miss`));
    }
  });
});
