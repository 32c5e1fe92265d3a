import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Context } from 'aws-lambda';
import { expect, test } from 'vitest';
import { formatTimestamp } from '../../core/clock.ts';
import { keys } from '../../core/keys.ts';
import type { FleetInspection, FleetMember } from '../../core/ports/fleet.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { countAccepted, createApiHandler, createInvalidationCheck } from '../../lambda/api/api-handler.ts';
import { createBucketReportLinks } from '../../lambda/api/report-links.ts';
import { BAD_INPUTS, judgeBadAnswer, sendBadInput } from '../server/bad-inputs.ts';
import { openFunctions } from './function-world.ts';
import { type GatewayOptions, openGateway } from './gateway-stand-in.ts';
import { NOBODY_AFTER_MS } from '../../core/report/nobody-came.ts';

const KEY = 'test-key-of-the-suite';
const OWN = 'd111111abcdef8.cloudfront.net';
const TOO_LONG = '{"message":"Request Too Long"}';
const URLS = ['https://www.example.com/a', 'https://www.example.com/b'];

const NO_FLEET: FleetInspection = { capacity: 0, onDemand: 0, lastFailedActivity: null, members: [] };

interface OpenApiOptions extends Partial<GatewayOptions> {
  readonly allowedDomains?: readonly string[];
  readonly inspection?: FleetInspection;
}

/** The function behind a gateway; its account has one distribution with one alias. */
async function openApi({ allowedDomains, inspection = NO_FLEET, ...options }: OpenApiOptions = {}) {
  const world = openFunctions();
  const { ports, functionPipeline } = world;
  const distributions = { findDistribution: async (host: string) => ([OWN, 'www.example.com'].includes(host) ? OWN : null) };
  const links = { linkTo: async (key: string) => `https://bucket.example/${key}` };
  const lists = ports.lists;
  const handler = createApiHandler({
    store: world.store,
    lists,
    pipeline: countAccepted(functionPipeline, { metrics: world.told.metrics, clock: ports.clock }),
    fleet: { ...ports.fleet, inspect: async () => inspection },
    tasks: ports.tasks,
    domains: distributions,
    catalogue: popCatalogue(),
    reportLinks: createBucketReportLinks({ store: ports.store, lists, pipeline: world.pipeline, links, events: ports.events }),
    invalidationFault: createInvalidationCheck(distributions, allowedDomains === undefined || allowedDomains.length > 0),
    ...(allowedDomains === undefined ? {} : { allowedDomains }),
    groupName: 'prewarm_asg_staging',
    nobodyAfterMs: NOBODY_AFTER_MS.instances,
    clock: ports.clock,
    log: world.told.log,
    newId: randomUUID,
    showSuccessUrls: false,
    maxTargets: 100_000_000,
    maxInvalidationPaths: 3000,
    version: '1.2.3',
  });
  const url = await openGateway(handler, { key: KEY, keyId: 'key-7', stage: 'prod', ...options });
  const ask = async (
    path: string,
    init: { readonly json?: unknown; readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) => {
    const { json, ...rest } = init;
    const body = json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) };
    const response = await fetch(url + path, { ...body, ...rest, headers: { 'x-api-key': KEY, ...rest.headers } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { ...world, handler, url, ask };
}

test('the API function refuses every wrong request as a server does, and creates nothing', async () => {
  const { url, ask, told } = await openApi();
  const faults: string[] = [];
  for (const row of BAD_INPUTS) {
    const answer = await sendBadInput({ url, key: KEY }, row);
    // What is beyond a function's payload, the gateway refuses by itself.
    if (row.status === 413 && answer.status === 413 && answer.text === TOO_LONG) continue;
    for (const fault of judgeBadAnswer(row, answer)) faults.push(`${row.what}: ${fault}`);
  }
  expect(faults).toEqual([]);
  expect((await ask('/requests')).body).toMatchObject({ requests: [], next: null });
  expect(JSON.stringify(told.lines)).not.toContain(KEY);
  expect(told.figures).toEqual([]);
});

test('a request belongs to the key that the gateway names, whatever its headers say, and is counted once', async () => {
  const { ask, told, ports, fleet } = await openApi();
  const headers = { 'Idempotency-Key': 'one', 'x-api-key-id': 'forged', 'x-amzn-apikeyid': 'forged' };
  const json = { url_list: URLS, pops: ['SIN2-P1'], instance_count: 3, notify_url: 'https://hooks.example.com/a' };
  const first = await ask('/prewarm', { json, headers });
  expect(first).toMatchObject({ status: 200, body: { status: 'Success' } });
  expect((await ask('/prewarm', { json, headers })).body['request_id']).toBe(first.body['request_id']);
  const row = await ports.store.get(String(first.body['request_id']));
  expect(row).toMatchObject({ madeBy: 'key-7', spec: { domain: OWN, notifyUrl: 'https://hooks.example.com/a' } });
  expect(fleet.capacity).toBe(3);
  expect(told.figures).toEqual([{ name: 'RequestsAccepted', value: 1 }]);
  expect((await ask('/instances', { json: { DesiredCapacity: 1 } })).body['message']).toBe(
    'Auto Scaling Group prewarm_asg_staging updated to Desired Capacity: 4',
  );
  expect((await ask(`/prewarm?req_id=${row?.id}&detail=pops`)).body).toMatchObject({ request_id: row?.id, pops: [] });
});

test('the API function reports the whole fleet: instances of both groups with their work, claims, and the last failure', async () => {
  const at = (second: number) => Date.parse(`2026-11-21T15:00:${String(second).padStart(2, '0')}Z`);
  const instance = (id: string, fields: Partial<FleetMember> = {}): FleetMember => {
    return { id, instanceId: id, state: 'running', type: 'm6g.large', zone: 'us-east-1a', since: at(1), ...fields };
  };
  const members = [
    instance('i-0a1'),
    instance('i-0b2', { zone: 'us-east-1b', since: null }),
    instance('i-0c3', { state: 'leaving' }),
    instance('i-0d4', { state: 'pending' }),
  ];
  const lastFailedActivity = { at: at(5), message: 'Could not launch Spot Instances.' };
  const { ask, ports } = await openApi({ inspection: { capacity: 3, onDemand: 1, lastFailedActivity, members } });
  const ids: string[] = [];
  for (const instance_count of [2, 1]) {
    const { body } = await ask('/prewarm', { json: { url_list: URLS, pops: ['SIN2-P1'], instance_count } });
    ids.push(String(body['request_id']));
  }
  const [first = '', second = ''] = ids;
  const updatedAt = ports.clock.now();
  const figures = { agentId: 'i-0a1-731', count: 0, bytes: 0, updatedAt };
  await ports.store.putProvisional({ ...figures, requestId: first, rate: 2.5, byteRate: 3e6, inFlight: 4 });
  await ports.store.putProvisional({ ...figures, requestId: second, rate: 1, byteRate: 1.5e6, inFlight: 2, updatedAt: updatedAt - 1000 });
  // An agent of whom nothing was heard for half a minute does nothing, and sizing is no agent.
  await ports.store.putProvisional({
    ...figures,
    requestId: first,
    agentId: 'i-0b2-9',
    rate: 7,
    inFlight: 1,
    updatedAt: updatedAt - 31_000,
  });
  await ports.store.putProvisional({ ...figures, requestId: first, agentId: 'sizing', rate: 0, count: 5 });

  const { status, body } = await ask('/instances?detail=1');
  const idle = { in_flight: 0, targets_per_second: 0, mb_per_second: 0, last_heartbeat: null };
  const of = (id: string) => ({
    agent_id: id,
    instance_id: id,
    type: 'm6g.large',
    zone: 'us-east-1a',
    since: '2026-11-21 15:00:01.000000',
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    status: 'success',
    timestamp: expect.any(String) as string,
    message: 'query success',
    desiredcapacity: 3,
    maximum: 8,
    in_service: 2,
    pending: 1,
    warm_pool: null,
    on_demand: 1,
    claims: {
      operator: null,
      requests: expect.arrayContaining([
        { request_id: first, agents: 2 },
        { request_id: second, agents: 1 },
      ]) as object[],
    },
    last_failed_activity: { at: '2026-11-21 15:00:05.000000', message: 'Could not launch Spot Instances.' },
    agents: [
      {
        ...of('i-0a1'),
        state: 'working',
        in_flight: 6,
        targets_per_second: 3.5,
        mb_per_second: 4.5,
        last_heartbeat: formatTimestamp(updatedAt),
      },
      { ...of('i-0b2'), zone: 'us-east-1b', since: null, state: 'idle', ...idle },
      { ...of('i-0c3'), state: 'leaving', ...idle },
    ],
  });
  expect(Object.keys((await ask('/instances')).body)).toEqual(['status', 'timestamp', 'message', 'desiredcapacity']);
});

test('the API function answers under a custom domain, serves the document and the health check without a key, and serves no figures', async () => {
  for (const basePath of [undefined, 'v1', 'prewarm', 'a/b']) {
    const { url, ask } = await openApi(basePath === undefined ? {} : { basePath });
    expect(await ask('/requests?limit=1')).toMatchObject({ status: 200 });
    expect((await ask('/prewarm/')).status).toBe(404);
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { servers: { url: string }[]; paths: object };
    expect(new URL(document.servers[0]?.url ?? '', `${url}/openapi.json`).href).toBe(`${url}/`);
    expect(Object.keys(document.paths)).not.toContain('/metrics');
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok', version: '1.2.3' });
    expect((await ask('/metrics')).status).toBe(404);
    expect((await fetch(`${url}/requests`)).status).toBe(403);
  }
});

test('the API function writes a missing report on the spot and once, and links to the bucket', async () => {
  const { ask, ports } = await openApi();
  const { body } = await ask('/prewarm', { json: { url_list: URLS, cf_domain: OWN, pops: ['SIN2-P1'] } });
  const id = String(body['request_id']);
  expect((await ask(`/summary?req_id=${id}`)).status).toBe(409);
  expect((await ask(`/prewarm?req_id=${id}`, { method: 'DELETE' })).body).toMatchObject({
    status: 'STOPPED',
    status_reason: 'cancelled by key-7',
  });
  const summary = { failure_pop_urls_report: `https://bucket.example/${keys.failureReport(id)}`, failure_urls: URLS };
  expect((await ask(`/summary?req_id=${id}`)).body).toMatchObject(summary);
  expect((await text(ports.lists.read(keys.failureReport(id)))).trim().split('\n')).toHaveLength(3);
  await ports.lists.put(keys.failureReport(id), ['as it was']);
  expect((await ask(`/summary?req_id=${id}`)).body).toMatchObject(summary);
  expect(await text(ports.lists.read(keys.failureReport(id)))).toBe('as it was');
});

test('failures with long URLs fit into the answer of a function, whichever list is asked for', async () => {
  const { ask } = await openApi();
  // Three times as long as they came, once they are percent-encoded.
  const urls = Array.from({ length: 1000 }, (_, n) => `https://www.example.com/${n}?${'é'.repeat(1340)}`);
  const { body } = await ask('/prewarm', { json: { url_list: urls, cf_domain: OWN, pops: ['SIN2-P1'] } });
  const id = String(body['request_id']);
  expect(await ask(`/status?requestID=${id}`)).toMatchObject({ status: 200, body: { total: 1000 } });
  await ask(`/prewarm?req_id=${id}`, { method: 'DELETE' });
  expect((await ask(`/status?requestID=${id}`)).body).toMatchObject({ total: 1000, status: 'FAILED' });
  expect(((await ask(`/summary?req_id=${id}`)).body['failure_urls'] as string[]).length).toBeGreaterThan(100);
});

test('the API function refuses what the account cannot invalidate before it creates anything', async () => {
  const { ask } = await openApi();
  const asked = (cf_domain: string) => ask('/prewarm', { json: { url_list: URLS, cf_domain, pops: ['SIN2-P1'], need_invalidate: true } });
  const refused = await asked('d222222abcdef8.cloudfront.net');
  expect(refused.status).toBe(400);
  expect(refused.body['error_message']).toMatch(/^need_invalidate: .*d222222abcdef8.* leave need_invalidate out/);
  expect((await ask('/requests')).body).toMatchObject({ requests: [] });
  expect((await asked(OWN)).status).toBe(200);
});

test('the API function warms allowed distributions only, whoever names them and whatever hosts hide behind them', async () => {
  for (const allowedDomains of [[OWN], ['www.example.com'], ['a.example', 'www.example.com']]) {
    const { ask } = await openApi({ allowedDomains });
    const asked = (json: object) => ask('/prewarm', { json: { url_list: URLS, pops: ['SIN2-P1'], ...json } });
    for (const fine of [
      {},
      { cf_domain: OWN },
      { cf_domain: OWN.toUpperCase() },
      { cf_domain: 'www.example.com' },
      { need_invalidate: true },
    ])
      expect(await asked(fine)).toMatchObject({ status: 200 });
    const [listed = ''] = allowedDomains;
    for (const strange of [
      { cf_domain: 'd222222abcdef8.cloudfront.net' },
      // An edge goes by the host, so an address of a distribution that is allowed would warm this one too.
      { cf_domain: OWN, url_list: ['https://www.victim.example/a'] },
      { cf_domain: OWN, url_list: [...URLS, 'https://www.victim.example/a'] },
      { cf_domain: OWN, url_list: Array.from({ length: 30 }, (_, n) => `https://v${n}.example/a`) },
    ]) {
      const refused = await asked(strange);
      expect(refused.status).toBe(400);
      expect(refused.body['error_message']).toContain(`the operator allows ${listed}`);
      expect(refused.body['error_message']).toMatch(/^cf_domain: /);
    }
  }
  const all = await openApi({ allowedDomains: ['*'] });
  const json = { url_list: ['https://www.victim.example/a'], cf_domain: OWN, pops: ['SIN2-P1'] };
  expect((await all.ask('/prewarm', { json })).status).toBe(200);
});

test('the API function invalidates nothing until the operator allows it', async () => {
  const { ask } = await openApi({ allowedDomains: [] });
  const json = { url_list: URLS, cf_domain: OWN, pops: ['SIN2-P1'] };
  const refused = await ask('/prewarm', { json: { ...json, need_invalidate: true } });
  expect(refused).toMatchObject({ status: 400, body: { error_message: expect.stringMatching(/^need_invalidate: .*AllowedDomains/) } });
  expect((await ask('/requests')).body).toMatchObject({ requests: [] });
  expect((await ask('/prewarm', { json })).status).toBe(200);
});

test('a failure of the store is answered 503, and a repeated call creates nothing twice', async () => {
  const { ask, faults, told } = await openApi();
  const json = { url_list: URLS, cf_domain: OWN, pops: ['SIN2-P1'] };
  const headers = { 'Idempotency-Key': 'again' };
  for (const fault of ['before', 'after'] as const) {
    for (let at = 1; at <= 8; at++) {
      const from = faults.calls;
      faults.decide = (nth) => (nth === from + at ? fault : null);
      const { status } = await ask('/prewarm', { json, headers });
      expect([200, 503]).toContain(status);
    }
  }
  faults.decide = () => null;
  expect((await ask('/prewarm', { json, headers })).status).toBe(200);
  const { requests } = (await ask('/requests')).body as { requests: unknown[] };
  expect(requests).toHaveLength(1);
  expect(faults.happened).toBeGreaterThan(10);
  expect(told.lines.some(({ level }) => level === 'error')).toBe(true);
});

test('the API function answers an event without a context as that of an unnamed key', async () => {
  const { handler, told } = await openApi();
  const event = {
    resource: '/{proxy+}',
    path: '/requests',
    pathParameters: { proxy: 'requests' },
    httpMethod: 'GET',
    headers: {},
    body: null,
  };
  const answer = await handler({ ...event, requestContext: {}, isBase64Encoded: false } as never, {} as Context);
  expect(answer.statusCode).toBe(200);
  expect(told.lines.at(-1)).toMatchObject({ fields: { key: 'api-key' } });
});
