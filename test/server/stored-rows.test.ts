import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createHolder } from '../../adapters/embedded/holder.ts';
import { openDataDir } from '../../adapters/embedded/data-dir.ts';
import { type EmbeddedStores, openEmbeddedStores } from '../../adapters/embedded/embedded-stores.ts';
import { systemClock } from '../../core/clock.ts';
import type { RequestRow } from '../../core/request/request.ts';
import { planOf, requestRow } from '../../testing/request-rows.ts';
import { openNotifiedServer } from '../../testing/notified-server.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { ask, hasEnded, KEY, newDataDir, objectUrls, openEdge, type Progress, type Served, serve, submit, until } from './served.ts';

/** As many names as 5 MiB hold, which the version before took. */
const POPS = Array.from({ length: 400_000 }, (_, at) => `AAA${at}`);
const SMALL_HEAP = { PREWARM_API_KEY: KEY, NODE_OPTIONS: '--max-old-space-size=512' };
const MOST_RESIDENT_KB = 512 * 1024;

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** Leaves requests behind in a data directory, as an earlier process would. */
async function plant(rows: Iterable<RequestRow>): Promise<string> {
  const dataDir = openDataDir(newDataDir());
  const stores: EmbeddedStores = openEmbeddedStores(dataDir.path, systemClock, { holder: createHolder() });
  for (const row of rows) await stores.store.create(row);
  stores.close();
  dataDir.release();
  return dataDir.path;
}

const residentKb = ({ child }: Served) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);

interface Listed {
  readonly requests: readonly { readonly request_id: string; readonly status: string; readonly pop_count: number }[];
}

test('requests of 400,000 POPs stop neither a start nor a list, and those that were active end with the reason', {
  timeout: 120_000,
}, async () => {
  const { spec } = requestRow('any');
  const long = { ...spec, pops: POPS.map((pop) => ({ pop, named: true })) };
  const dataDir = await plant([
    requestRow(idOf(1), { spec: long }),
    requestRow(idOf(2), { spec: long, status: 'QUEUEING' }),
    requestRow(idOf(3), { spec: long, status: 'IN_PROGRESS', plan: planOf(POPS) }),
    requestRow(idOf(4), { spec: long, status: 'FINISHED', plan: planOf(POPS), endedAt: Date.now() }),
    requestRow(idOf(5), { status: 'FINISHED', endedAt: Date.now() }),
  ]);
  const { flags } = await openEdge();
  const served = await serve([...flags, '--data-dir', dataDir], SMALL_HEAP);

  const { body } = await ask<Listed>(served, '/requests?limit=500');
  expect(body.requests.map(({ pop_count: pops, status }) => `${status} ${pops}`).toSorted()).toEqual([
    'FAILED 400000',
    'FAILED 400000',
    'FAILED 400000',
    'FINISHED 2',
    'FINISHED 400000',
  ]);
  const failed = (await ask<Progress>(served, `/prewarm?req_id=${idOf(3)}`)).body;
  expect(failed).toMatchObject({ status: 'FAILED', status_reason: expect.stringMatching(/has 400000 POPs; .* 1000 at most/) });
  expect((await ask(served, '/metrics')).body).toContain('prewarm_active_targets{outcome="left"} 0\n');
  for (let n = 0; n < 20; n++) expect((await ask<Listed>(served, '/requests')).body.requests).toHaveLength(5);

  const id = await submit(served, { url_list: objectUrls(3), pops: ['SIN2-P1'] });
  expect(await until(served, id, hasEnded)).toMatchObject({ status: 'FINISHED', download_count: 3 });
  expect(residentKb(served)).toBeLessThan(MOST_RESIDENT_KB);
  expect(await served.stop()).toBe(0);
});

test('the server reports an end that it had not reported before a restart, however many requests followed', async () => {
  const listener = await openNotifiedServer();
  const { flags } = await openEdge();
  const caFile = join(temporaryDir(), 'listener.pem');
  writeFileSync(caFile, listener.caPem);
  const ended = (n: number) => requestRow(idOf(n), { status: 'STOPPED', createdAt: Date.now() + n, endedAt: Date.now() });
  const untold = { ...ended(0), spec: { ...ended(0).spec, notifyUrl: listener.url } };
  const later = Array.from({ length: 1200 }, (_, n) => ended(n + 1));
  const dataDir = await plant([untold, ...later]);
  const map = flags.slice(0, 2);
  const served = await serve([...map, '--ca-file', caFile, '--allow-private-addresses', '--allow-private-notify', '--data-dir', dataDir]);
  await vi.waitFor(() => expect(listener.bodies).toHaveLength(1), 10_000);
  expect(listener.bodies[0]).toMatchObject({ request_id: idOf(0), status: 'STOPPED' });
  expect(await served.stop()).toBe(0);
});
