import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { InputFault } from '../../../core/errors.ts';
import { parseSecretHeaders } from '../../../core/keep-warm/secret-headers.ts';
import { settingsFrom } from '../../../deployment/keep-warm-settings.ts';
import { readKeepWarmRoutes } from '../../../lambda/keep-warm-routes.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../../simulator/simulated-edge.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';
import { openAnswerServer } from '../../../testing/answer-server.ts';
import { type FunctionProcess, startFunction } from '../function-process.ts';
import { HOST } from '../../../testing/keep-warm-fixture.ts';
import { until } from '../../../testing/until.ts';

const SETTINGS: Readonly<Record<string, string>> = {
  customDomain: HOST,
  distributionDomainName: HOST,
  urlPath: '/time',
  popList: 'SIN2-P1,FRA56-P4,ZZZ9-C1',
  requestsPerPop: '6',
  method: 'GET',
};
const variable = (setting: string) => `PREWARM_KEEP_WARM_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
const SECRET = 'keep-warm-headers';

interface Metric {
  readonly Pop: string;
  readonly Host: string;
  readonly EnvName: string;
  readonly KeepWarmRequests: number;
  readonly KeepWarmErrors: number;
  readonly KeepWarmSilent: number;
  readonly KeepWarmNewConnections?: number;
  readonly KeepWarmFirstByte?: number | readonly number[];
}

describe('the headers of a secret', () => {
  const read = (text: string) => {
    const faults: InputFault[] = [];
    return { lines: parseSecretHeaders(text, 'headersSecret', faults), faults };
  };

  test.each([['X-A: 1\nX-B: 2\n'], ['{"X-A": "1", "X-B": "2"}'], ['["X-A: 1", "X-B: 2"]']])(
    'the secret of headers may be written as %j',
    (text) => {
      expect(read(text)).toEqual({ lines: ['X-A: 1', 'X-B: 2'], faults: [] });
    },
  );

  test.each([
    ['{"X-A": "top\\r\\nX-B: secret"}'],
    ['["X-A: top\\r\\nX-B: secret"]'],
    ['{"X-A": {"top": "secret"}}'],
    ['{"Host": "top.secret"}'],
    ['topsecret'],
    ['{"X-A": "top", secret'],
    ['X-A: top\nx-a: secret'],
  ])('the function refuses the secret of headers %j without showing its values', (text) => {
    const { faults } = read(text);
    expect(faults).toHaveLength(1);
    expect(JSON.stringify(faults)).not.toMatch(/top\\|: top|secret"/);
  });
});

describe('the settings of the function', () => {
  const of = (settings: Readonly<Record<string, string>>, name: string) => settings[name];
  const sources = { catalogue: popCatalogue(), readSecret: async () => 'X-Key: k', readObject: async () => LIST };
  const LIST = JSON.stringify([
    { domain: HOST, host: 'a.example.com', path: '/a', pops: ['SIN2-P1'], headers: ['x-key: own', 'x-other: o'] },
    { host: HOST, path: '/b', pops: ['FRA56-P4'], per_minute: 8, method: 'HEAD' },
  ]);

  test('the settings of keep-warm make a route with the headers of the secret', async () => {
    const faults: InputFault[] = [];
    const settings = settingsFrom((name) => of({ ...SETTINGS, headersSecret: 'arn' }, name));
    expect(await readKeepWarmRoutes(settings, sources, faults)).toEqual([
      {
        domain: HOST,
        url: `https://${HOST}/time`,
        pops: ['SIN2-P1', 'FRA56-P4', 'ZZZ9-C1'],
        requestsPerPop: 6,
        method: 'GET',
        headers: [['X-Key', 'k']],
      },
    ]);
    expect(faults).toEqual([]);
  });

  test('the settings of keep-warm make routes from a list in S3, where the secret replaces headers of the same name', async () => {
    const settings = settingsFrom((name) => of({ routesBucket: 'b', routesKey: 'k', headersSecret: 'arn' }, name));
    const routes = await readKeepWarmRoutes(settings, sources, []);
    expect(routes).toMatchObject([
      {
        domain: HOST,
        url: 'https://a.example.com/a',
        requestsPerPop: 60,
        headers: [
          ['x-other', 'o'],
          ['X-Key', 'k'],
        ],
      },
      { domain: HOST, url: `https://${HOST}/b`, requestsPerPop: 8, method: 'HEAD', headers: [['X-Key', 'k']] },
    ]);
  });

  test('the function refuses settings that would need a look-up of the distribution each minute', async () => {
    const faults: InputFault[] = [];
    const alias = { ...SETTINGS, distributionDomainName: 'www.example.com', customDomain: 'www.example.com' };
    const settings = settingsFrom((name) => of(alias, name));
    await readKeepWarmRoutes(settings, sources, faults);
    expect(faults).toMatchObject([
      { field: 'distributionDomainName', value: 'www.example.com', message: expect.stringContaining('is an alias') },
    ]);
  });
});

describeWithAccount('Keep-warm on a schedule', (account) => {
  let table = '';
  let secretArn = '';

  beforeAll(async () => {
    const dynamo = new DynamoDBClient(account().client);
    table = `claims-${randomUUID()}`;
    const key = {
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' as const }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' as const }],
    };
    await dynamo.send(new CreateTableCommand({ TableName: table, BillingMode: 'PAY_PER_REQUEST', ...key }));
    dynamo.destroy();
    const secrets = new SecretsManagerClient(account().client);
    const made = await secrets.send(new CreateSecretCommand({ Name: SECRET, SecretString: 'X-Key: k' }));
    secretArn = made.ARN ?? '';
    secrets.destroy();
  });

  async function openEdge(): Promise<SimulatedEdge> {
    const edge = await createSimulatedEdge({
      objects: (path) => (path === '/time' ? { size: 40, cacheControl: 'no-store' } : null),
      originNetwork: { idleMs: 60_000, tlsRoundTrips: 1, roundTripMs: () => 20 },
    });
    onTestFinished(() => edge.close());
    return edge;
  }

  function start(name: string, env: Readonly<Record<string, string>>): FunctionProcess {
    const started = startFunction(name, { ...account().env, PREWARM_ENV_NAME: 'test', ...env });
    onTestFinished(() => started.stop());
    return started;
  }

  async function startSender(
    edge: SimulatedEdge,
    settings: Readonly<Record<string, string>>,
    remainingMs = 6000,
  ): Promise<FunctionProcess> {
    const { caFile, edgeMapFile } = await edge.writeFiles(temporaryDir());
    const variables = Object.fromEntries(Object.entries(settings).map(([name, value]) => [variable(name), value]));
    return start('keep-warm', {
      ...variables,
      PREWARM_KEEP_WARM_TABLE: table,
      PREWARM_EDGE_MAP: edgeMapFile,
      PREWARM_CA_FILE: caFile,
      PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
      REMAINING_MS: String(remainingMs),
    });
  }

  const metricsOf = ({ lines }: FunctionProcess) => lines.filter((line) => '_aws' in line) as unknown as Metric[];

  test('the function sends a run once for its minute, continues without the POP that is gone, names it, and writes figures per POP', async () => {
    const edge = await openEdge();
    const sender = await startSender(edge, { ...SETTINGS, headersSecret: secretArn });
    const scheduledTime = '2026-11-21T10:00:00Z';
    await sender.invoke({ scheduledTime });
    expect(edge.counters().edge.gets).toBe(12);
    const metrics = metricsOf(sender);
    const ofPop = (pop: string) => metrics.find(({ Pop }) => Pop === pop);
    expect(ofPop('SIN2-P1')).toMatchObject({
      EnvName: 'test',
      Host: HOST,
      KeepWarmRequests: 6,
      KeepWarmErrors: 0,
      KeepWarmSilent: 0,
      KeepWarmFirstByte: expect.any(Array),
    });
    expect(ofPop('SIN2-P1')?.KeepWarmNewConnections).toBeCloseTo(100 / 6, 3);
    expect(ofPop('ZZZ9-C1')).toMatchObject({ KeepWarmRequests: 0, KeepWarmSilent: 1 });
    const namedPops = () => sender.lines.find(({ message }) => message === 'POPs do not answer');
    // Errors are logged to another stream than answers.
    await until('the POP is named', () => namedPops() !== undefined);
    const named = namedPops();
    expect(named).toMatchObject({ dead: [{ pop: 'ZZZ9-C1', state: 'pop_unresolvable' }], requests: 12, good: 12 });
    await sender.invoke({ scheduledTime });
    expect(edge.counters().edge.gets).toBe(12);
    expect(sender.lines.some(({ message }) => message === 'another invocation has this minute')).toBe(true);
    await sender.invoke({ scheduledTime: '2026-11-21T10:01:00Z' });
    expect(edge.counters().edge.gets).toBe(24);
    expect(JSON.stringify(sender.lines)).not.toContain('X-Key');
  });

  test('the function ends in time where the backend hangs or answers errors, and reports this', async () => {
    const edge = await openEdge();
    edge.setFault({ pop: 'SIN2-P1' }, { kind: 'stall', at: 'headers' });
    edge.setFault({ pop: 'FRA56-P4' }, { kind: 'status', status: 503 });
    const sender = await startSender(edge, { ...SETTINGS, popList: 'SIN2-P1,FRA56-P4' }, 11_500);
    const startedAt = Date.now();
    await sender.invoke({ scheduledTime: '2026-11-21T11:00:00Z' });
    // Time-outs of the last requests would end after 18 s.
    expect(Date.now() - startedAt).toBeLessThan(16_000);
    const told = () => sender.lines.find(({ errors }) => errors !== undefined);
    await until('the log tells why', () => told() !== undefined);
    expect(told()).toMatchObject({ errors: { status_503: 6, timeout: expect.any(Number) } });
    const metrics = metricsOf(sender);
    expect(metrics.find(({ Pop }) => Pop === 'FRA56-P4')).toMatchObject({ KeepWarmRequests: 6, KeepWarmErrors: 6, KeepWarmSilent: 0 });
    const hanging = metrics.find(({ Pop }) => Pop === 'SIN2-P1');
    // Those of the last ten seconds are broken off unjudged.
    expect(hanging?.KeepWarmErrors).toBe(hanging?.KeepWarmRequests);
    expect(hanging?.KeepWarmErrors).toBeGreaterThanOrEqual(1);
  });

  test('the function reports a missing secret clearly and sends nothing', async () => {
    const edge = await openEdge();
    const missing = secretArn.replace(SECRET, 'no-such-secret');
    const sender = await startSender(edge, { ...SETTINGS, headersSecret: missing });
    await expect(sender.invoke({ scheduledTime: '2026-11-21T12:00:00Z' })).rejects.toThrow(
      /no-such-secret.*make the secret in this account and region/,
    );
    expect(edge.counters().edge.gets).toBe(0);
  });

  describe('the budget', () => {
    const PROPERTIES = {
      ...SETTINGS,
      headersSecret: '',
      rate: 'rate(1 minute)',
      maxRequestsPerDay: '1000000',
      maxPops: '30',
      routesBucket: '',
      routesKey: '',
    };

    async function deploy(properties: Readonly<Record<string, string>>, type = 'Create') {
      const cloudFormation = await openAnswerServer(() => ({ status: 200, body: '' }));
      onTestFinished(() => cloudFormation.close());
      const checker = start('keep-warm-budget', {});
      const ids = { StackId: 's', RequestId: 'r', LogicalResourceId: 'Check', ResourceType: 'Custom::KeepWarmBudget', ServiceToken: 't' };
      await checker.invoke({
        RequestType: type,
        ResponseURL: `${cloudFormation.url}/told?signed=1`,
        ...ids,
        ResourceProperties: properties,
      });
      expect(cloudFormation.received.map(({ request }) => request)).toEqual(['PUT /told?signed=1']);
      return JSON.parse(cloudFormation.received[0]?.body ?? '') as { Status: string; Reason?: string; Data?: Record<string, string> };
    }

    test('the budget check passes a route within the budget, and reports the sum and the cost', async () => {
      const told = await deploy({ ...PROPERTIES, headersSecret: secretArn });
      expect(told).toMatchObject({ Status: 'SUCCESS', Data: { RequestsPerDay: String(3 * 6 * 1440) } });
      expect(Number(told.Data?.['MonthlyCost'])).toBeGreaterThan(10);
    });

    test.each([
      [{ maxRequestsPerDay: '25919' }, ['3 POPs x 6 requests x 1,440 runs = 25,920 requests a day']],
      [{ rate: 'rate(0 minutes)' }, ['rate: "rate(0 minutes)": never runs with a rate of 0']],
      [
        { popList: 'Mars,SIN2-P1', urlPath: 'time', requestsPerPop: '0' },
        ['popList: "Mars"', 'urlPath: "time"', 'requestsPerPop: "0": holds nothing open'],
      ],
      // Alarms are named by what the parameters say, figures by what is sent.
      [{ popList: 'sin2-p1,FRA56-P4' }, ['popList: "sin2-p1,FRA56-P4"', 'write SIN2-P1,FRA56-P4']],
      [{ popList: 'SIN2-P1,SIN2-P1' }, ['popList: "SIN2-P1,SIN2-P1"', 'write SIN2-P1']],
      [{ customDomain: 'WWW.Example.com' }, ['customDomain: "WWW.Example.com"', 'write www.example.com']],
      [{ popList: Array.from({ length: 31 }, (_, n) => `SIN${n}-P1`).join(',') }, ['names 31 POPs; name at most 30']],
      [
        { headersSecret: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:none-abcdef' },
        ['make the secret in this account and region'],
      ],
    ])('the budget check fails the deploy for %j and gives the reason', async (wrong, reasons) => {
      const told = await deploy({ ...PROPERTIES, ...wrong });
      expect(told.Status).toBe('FAILED');
      for (const reason of reasons) expect(told.Reason).toContain(reason);
    });

    test('the budget check owns nothing that removing the stack would have to remove', async () => {
      expect(await deploy({ ...PROPERTIES, popList: '?' }, 'Delete')).toMatchObject({ Status: 'SUCCESS' });
    });

    test('the budget check reads a list of routes from where the template put it', async () => {
      const s3 = new S3Client(account().client);
      await s3.send(new CreateBucketCommand({ Bucket: 'routes' }));
      const list = [
        { host: HOST, path: '/a', pops: ['SIN2-P1'], per_minute: 2 },
        { host: HOST, path: '/b', pops: ['SIN2-P1'], per_minute: 1 },
      ];
      await s3.send(new PutObjectCommand({ Bucket: 'routes', Key: 'routes.json', Body: JSON.stringify(list) }));
      s3.destroy();
      const told = await deploy({ rate: 'rate(1 minute)', maxRequestsPerDay: '5000', routesBucket: 'routes', routesKey: 'routes.json' });
      expect(told).toMatchObject({ Status: 'SUCCESS', Data: { RequestsPerDay: '4320' } });
    });
  });
});
