import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { type Answered, ask, objectUrls } from '../../server/served.ts';
import type { Deployment } from './deployment-suite.ts';
import type { DeployedSystem } from './deployed-system.ts';
import { makeRequest, submitRequest, untilEnded, untilProgress } from './requests.ts';
import { POPS } from './world.ts';

const MISSING = 'https://d111111abcdef8.cloudfront.net/missing';
const domain = { cf_domain: 'd111111abcdef8.cloudfront.net' };

interface Figures {
  readonly total_count: number;
  readonly warmed_count: number;
  readonly already_warm_count: number;
  readonly failed_count: number;
  readonly download_size: number;
  readonly edge_bytes: number;
}

async function figuresOf(system: DeployedSystem, id: string): Promise<Figures> {
  return (await ask<Figures>(system, `/prewarm?req_id=${id}`)).body;
}

/** Key, answers and the flow through streams, queues and agents, on both stacks. */
export function registerFlowTests({ world, prod, staging }: Deployment): void {
  test('without the right key everything is forbidden, in API Gateway’s own words', async () => {
    for (const key of [null, 'wrong', '']) {
      for (const [method, path] of [
        ['POST', '/prewarm'],
        ['GET', '/prewarm'],
        ['GET', '/nowhere'],
      ] as const) {
        const refused = await ask(prod(), path, { method, key, ...(method === 'POST' ? { body: {} } : {}) });
        expect(refused).toMatchObject({ status: 403, body: { message: 'Forbidden' } });
      }
    }
  });

  test.for(['prod', 'staging'] as const)('a request goes through to FINISHED in %s, and every figure is exact', async (envName) => {
    const system = envName === 'prod' ? prod() : staging();
    const { edge } = world();
    const prefix = `exact-${envName}-`;
    const urls = objectUrls(25, prefix, '10k');
    const body = { url_list: [...urls, MISSING], pops: [...POPS], ...domain };
    const before = edge.counters();
    const id = await makeRequest(system, body);
    expect(await untilEnded(system, id)).toMatchObject({ status: 'FINISHED', percentage_complete: 100 });
    const cold = await figuresOf(system, id);
    expect(cold).toMatchObject({ total_count: 78, warmed_count: 75, already_warm_count: 0, failed_count: 3, download_size: 75 * 10_240 });
    const after = edge.counters();
    expect(cold.edge_bytes).toBe(after.edge.bodyBytes - before.edge.bodyBytes);
    const fetches = () =>
      [...edge.counters().origin.objects].flatMap(([path, traffic]) => (path.includes(prefix) ? [traffic.fetches] : []));
    expect(fetches()).toEqual(urls.map(() => 1));

    const again = await makeRequest(system, body);
    await untilEnded(system, again);
    expect(await figuresOf(system, again)).toMatchObject({ total_count: 78, warmed_count: 0, already_warm_count: 75, failed_count: 3 });
    expect(fetches()).toEqual(urls.map(() => 1));
  });
}

/** What can be asked of requests that run or have ended. */
export function registerRequestTests({ world, prod }: Deployment): void {
  test('of two requests at once one is cancelled, the other one is not touched by it', async () => {
    const release = world().edge.setFault({ path: '/o/1k/hangs*', method: 'GET' }, { kind: 'stall', at: 'headers' });
    const hanging = await makeRequest(prod(), { url_list: objectUrls(4, 'hangs'), pops: ['SIN2-P1'], ...domain });
    const other = await makeRequest(prod(), { url_list: objectUrls(40, 'beside'), pops: [...POPS], ...domain });
    await untilProgress(prod(), hanging, ({ status }) => status === 'IN_PROGRESS');
    const cancelled = await ask(prod(), `/prewarm?req_id=${hanging}`, { method: 'DELETE' });
    expect(cancelled.status).toBe(200);
    expect(await untilEnded(prod(), hanging)).toMatchObject({ status: 'STOPPED', total_count: 4, failed_count: 4, percentage_complete: 0 });
    expect(await untilEnded(prod(), other)).toMatchObject({ status: 'FINISHED', total_count: 120, download_count: 120, failed_count: 0 });
    await release();
  });

  test('summary and report list the failures, by a link that needs no key', async () => {
    const id = await makeRequest(prod(), { url_list: [...objectUrls(2, 'told'), MISSING], pops: [...POPS], ...domain });
    await untilEnded(prod(), id);
    const { status, body } = await ask<Record<string, string>>(prod(), `/summary?req_id=${id}`);
    expect({ status, body }).toMatchObject({ status: 200, body: { status: 'FINISHED', failure_urls: [MISSING] } });
    expect(new Set(body['failure_pops'])).toEqual(new Set(POPS));
    const report = await fetch(body['failure_pop_urls_report'] ?? '');
    expect(report.status).toBe(200);
    const rows = parse<Record<string, string>>(await report.text(), { columns: true });
    expect(rows.map(({ url, reason }) => `${url} ${reason}`)).toEqual(POPS.map(() => `${MISSING} status_404`));
    expect(new Set(rows.map(({ pop }) => pop))).toEqual(new Set(POPS));
  });

  test('the same idempotency key and body answer the same request, another body is a conflict', async () => {
    const body = { url_list: objectUrls(1, 'once'), pops: ['SIN2-P1'], ...domain };
    const headers = { 'idempotency-key': 'the-same-one' };
    const answers = await Promise.all([1, 2, 3].map(() => submitRequest(prod(), body, headers)));
    const ids = new Set(answers.map((answered: Answered<{ request_id: string }>) => answered.body.request_id));
    expect(ids.size).toBe(1);
    expect(await submitRequest(prod(), { ...body, timeout: 7 }, headers)).toMatchObject({ status: 409 });
    expect(await untilEnded(prod(), [...ids][0] ?? '')).toMatchObject({ status: 'FINISHED', download_count: 1 });
  });
}
