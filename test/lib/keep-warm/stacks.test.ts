import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Aspects } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDir } from '../../../testing/temporary-dir.ts';
import { evaluate } from '../prewarm/evaluate-template.ts';
import { resourcesOf, type TemplateBody } from '../prewarm/synthesize-stacks.ts';
import { testBackend } from './backend-tests.ts';
import { onlyOne, type Properties, propertiesOf } from './properties.ts';
import { type Synthesized, type SynthesizedStack, synthesize } from './synthesize.ts';

const RUNBOOK = fileURLToPath(new URL('../../../docs/runbook-keep-warm.md', import.meta.url));

let synthesized: Synthesized | undefined;
beforeAll(async () => {
  synthesized = await synthesize();
});
afterAll(() => synthesized?.remove());

function stacks(): Synthesized {
  if (synthesized === undefined) throw new Error('the stacks were not synthesized');
  return synthesized;
}

/** A list parameter as CloudFormation has it. */
const listOf = (...pops: string[]) => pops as unknown as string;

/** Those alarms that are there with these parameters. */
function alarmsOf(body: TemplateBody, given: Readonly<Record<string, string>>): Properties[] {
  return Object.values(body.Resources)
    .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
    .filter((resource) => !('Condition' in resource) || evaluate(body, { Condition: resource.Condition }, given) === true)
    .map(({ Properties }) => evaluate(body, Properties, given) as Properties);
}

const PARAMETERS = {
  customDomain: 'api.example.com',
  distributionDomainName: 'd111111abcdef8.cloudfront.net',
  urlPath: '/time',
  popList: listOf('SIN2-P1', 'FRA56-P4'),
};

describe('the stack that keeps warm', () => {
  test('the keep-warm stack has the parameters that are documented, and no others but its own', () => {
    const own = Object.entries(stacks().sender.body.Parameters).filter(([name]) => name !== 'BootstrapVersion');
    expect(Object.fromEntries(own.map(([name, parameter]) => [name, parameter['Default']]))).toEqual({
      envName: 'prod',
      customDomain: undefined,
      distributionDomainName: undefined,
      urlPath: undefined,
      popList: undefined,
      requestsPerPop: 60,
      rate: 'rate(1 minute)',
      method: 'GET',
      headersSecret: '',
      maxRequestsPerDay: 1_000_000,
    });
  });

  test('the keep-warm stack starts a run at its time or not at all, after the check of the budget', () => {
    const { body } = stacks().sender;
    const [[, schedule] = []] = resourcesOf(body, 'AWS::Scheduler::Schedule');
    expect(evaluate(body, schedule?.Properties, { rate: 'rate(5 minutes)' })).toMatchObject({
      ScheduleExpression: 'rate(5 minutes)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { RetryPolicy: { MaximumRetryAttempts: 0 }, Input: '{"scheduledTime":"<aws.scheduler.scheduled-time>"}' },
    });
    expect((schedule as { DependsOn?: string[] }).DependsOn).toContainEqual(expect.stringMatching(/^BudgetCheck/));
    expect(onlyOne(body, 'AWS::Lambda::EventInvokeConfig')).toMatchObject({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 });
  });

  test('the keep-warm stack has functions without reserved concurrency, and gives the sender 58 seconds', () => {
    const functions = propertiesOf(stacks().sender.body, 'AWS::Lambda::Function', PARAMETERS);
    expect(new Set(functions.map(({ FunctionName }) => FunctionName))).toEqual(
      new Set(['prewarm_keep-warm-budget_prod', 'prewarm_keep-warm_prod']),
    );
    const sender = functions.find(({ FunctionName }) => FunctionName === 'prewarm_keep-warm_prod');
    expect(sender).toMatchObject({ Timeout: 58, Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    for (const each of functions) expect(each).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  test('the keep-warm stack hands the real parameters to the function and to the check of the budget, and no edge options', () => {
    const { body } = stacks().sender;
    const sender = propertiesOf(body, 'AWS::Lambda::Function', PARAMETERS).find(
      ({ FunctionName }) => FunctionName === 'prewarm_keep-warm_prod',
    );
    const environment = sender?.['Environment'] as { Variables: Record<string, string> } | undefined;
    const variables = environment?.Variables ?? {};
    expect(variables).toMatchObject({
      PREWARM_KEEP_WARM_CUSTOM_DOMAIN: 'api.example.com',
      PREWARM_KEEP_WARM_DISTRIBUTION_DOMAIN_NAME: 'd111111abcdef8.cloudfront.net',
      PREWARM_KEEP_WARM_URL_PATH: '/time',
      PREWARM_KEEP_WARM_POP_LIST: 'SIN2-P1,FRA56-P4',
      PREWARM_KEEP_WARM_REQUESTS_PER_POP: '60',
      PREWARM_KEEP_WARM_METHOD: 'GET',
      PREWARM_KEEP_WARM_HEADERS_SECRET: '',
    });
    expect(Object.keys(variables).filter((name) => /DNS_SERVER|EDGE|CA_FILE|PRIVATE/.test(name))).toEqual([]);
    expect(onlyOne(body, 'Custom::KeepWarmBudget', PARAMETERS)).toMatchObject({
      customDomain: 'api.example.com',
      popList: 'SIN2-P1,FRA56-P4',
      requestsPerPop: '60',
      rate: 'rate(1 minute)',
      maxRequestsPerDay: '1000000',
      maxPops: '30',
    });
  });

  test('the keep-warm stack watches every listed POP by an alarm that names it, and no other', () => {
    const { body } = stacks().sender;
    const names = (pops: string[]) =>
      alarmsOf(body, { ...PARAMETERS, popList: listOf(...pops) })
        .map(({ AlarmName }) => String(AlarmName))
        .filter((name) => name.includes('api.example.com'));
    expect(names(['SIN2-P1', 'FRA56-P4'])).toEqual([
      'prewarm_keep-warm_api.example.com_SIN2-P1_prod',
      'prewarm_keep-warm_api.example.com_FRA56-P4_prod',
    ]);
    const thirty = Array.from({ length: 30 }, (_, n) => `SIN${n}-P1`);
    expect(names(thirty)).toHaveLength(30);
    const [silent] = alarmsOf(body, PARAMETERS);
    expect(silent).toMatchObject({
      AlarmDescription: expect.stringContaining('The POP SIN2-P1 has stopped answering for api.example.com'),
      MetricName: 'KeepWarmSilent',
      Statistic: 'Minimum',
      TreatMissingData: 'ignore',
      Dimensions: [
        { Name: 'EnvName', Value: 'prod' },
        { Name: 'Host', Value: 'api.example.com' },
        { Name: 'Pop', Value: 'SIN2-P1' },
      ],
    });
  });

  test('an alarm reports that the function is not started any more, at rates at which every five minutes have a run', () => {
    const { body } = stacks().sender;
    const stopped = (rate: string) =>
      alarmsOf(body, { ...PARAMETERS, rate }).filter(({ AlarmName }) => AlarmName === 'prewarm_keep-warm_stopped_prod');
    for (const rate of ['rate(1 minute)', 'rate(5 minutes)']) {
      expect(stopped(rate)).toMatchObject([
        {
          MetricName: 'Invocations',
          Statistic: 'Sum',
          Period: 300,
          Threshold: 1,
          ComparisonOperator: 'LessThanThreshold',
          EvaluationPeriods: 3,
          TreatMissingData: 'breaching',
        },
      ]);
    }
    for (const rate of ['rate(10 minutes)', 'cron(0/5 8-18 ? * MON-FRI *)']) expect(stopped(rate)).toEqual([]);
  });

  test('alarms may publish to the topic that they notify, over TLS only', () => {
    const { body } = stacks().sender;
    const [topic] = resourcesOf(body, 'AWS::SNS::Topic').map(([id]) => `<${id}>`);
    for (const { AlarmActions } of alarmsOf(body, PARAMETERS)) expect(AlarmActions).toEqual([topic]);
    const { PolicyDocument: policy } = onlyOne(body, 'AWS::SNS::TopicPolicy') as { PolicyDocument: { Statement: Properties[] } };
    expect(policy.Statement).toEqual([
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      expect.objectContaining({
        Effect: 'Allow',
        Action: 'sns:Publish',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Resource: topic,
        Condition: { StringEquals: { 'aws:SourceAccount': '<AWS::AccountId>' } },
      }),
    ]);
  });

  test('each alarm has a section in the runbook, and each section has an alarm', () => {
    const anchors = alarmsOf(stacks().sender.body, PARAMETERS).map(
      ({ AlarmDescription }) => /runbook-keep-warm\.md#([\w-]+)$/.exec(String(AlarmDescription))?.[1],
    );
    const sections = [...readFileSync(RUNBOOK, 'utf8').matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    expect(new Set(anchors)).toEqual(new Set(sections));
    expect(readFileSync(RUNBOOK, 'utf8').match(/^### (Description|Investigation|Resolution)$/gm)).toHaveLength(3 * sections.length);
  });

  test('the keep-warm stack claims minutes in an on-demand table whose rows expire by themselves', () => {
    expect(onlyOne(stacks().sender.body, 'AWS::DynamoDB::Table')).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    });
  });

  test('the keep-warm function may read the secret that is named, and no other', () => {
    const secretsFor = (headersSecret: string) =>
      statementsOf(stacks().sender, { headersSecret })
        .filter(({ Action }) => [Action].flat().includes('secretsmanager:GetSecretValue'))
        .map(({ Resource }) => Resource);
    const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:headers-abcdef';
    expect(new Set(secretsFor(arn))).toEqual(new Set([arn]));
    expect(secretsFor('')).toHaveLength(2);
    for (const resource of secretsFor('')) expect(resource).toMatch(/:secret:none$/);
  });

  test('the keep-warm stack takes a list of routes from the context, with an alarm for each host and POP and no single-route parameters', async () => {
    const file = join(temporaryDir(), 'routes.json');
    const domain = 'd111111abcdef8.cloudfront.net';
    const routes = [
      { domain, host: 'a.example.com', path: '/', pops: ['SIN2-P1', 'FRA56-P4'], per_minute: 8 },
      { domain, host: 'a.example.com', path: '/b', pops: ['SIN2-P1'], per_minute: 8 },
      { domain, host: 'b.example.com', path: '/', pops: ['SIN2-P1'], per_minute: 8 },
    ];
    writeFileSync(file, JSON.stringify(routes));
    const several = await synthesize({ keepWarm: file });
    try {
      const { body, stack } = several.sender;
      expect(Object.keys(body.Parameters)).not.toContain('popList');
      const names = alarmsOf(body, {}).map(({ AlarmName }) => String(AlarmName));
      expect(names.filter((name) => name.includes('example.com'))).toHaveLength(3);
      const [info] = Annotations.fromStack(stack).findInfo('*', Match.anyValue());
      expect(info?.entry.data).toContain('= 46,080 requests a day:\n  SIN2-P1 (asia-pacific) $');
    } finally {
      await several.remove();
    }
  });

  test.each([
    ['none.json', null, /cannot be read \(ENOENT\)/],
    [
      'wrong.json',
      '[{"host": "a.example.com", "path": "x", "pops": ["?"], "per_minute": 0}]',
      /keepWarm\[0\]\.path[\s\S]*keepWarm\[0\]\.pops[\s\S]*keepWarm\[0\]\.per_minute/,
    ],
  ])('a wrong list fails the synthesis: %s', async (name, content, message) => {
    const file = join(temporaryDir(), name);
    if (content !== null) writeFileSync(file, content);
    await expect(synthesize({ keepWarm: file })).rejects.toThrow(message);
  });
});

describe('the backend to try it on', () => {
  testBackend(stacks);
});

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

function statementsOf({ body }: SynthesizedStack, given: Readonly<Record<string, string>> = {}): Statement[] {
  return propertiesOf(body, 'AWS::IAM::Policy', given).flatMap(
    ({ PolicyDocument }) => (PolicyDocument as { Statement: Statement[] }).Statement,
  );
}

describe('both stacks', () => {
  const both = () => [stacks().sender, stacks().backend];

  test('both stacks allow named actions on named resources only', () => {
    for (const each of both()) {
      for (const { Action, Resource } of statementsOf(each, PARAMETERS)) {
        expect(JSON.stringify([Action, Resource])).not.toContain('*');
      }
    }
  });

  test('both stacks have no cdk-nag finding that is not suppressed', async () => {
    const checked = await synthesize({}, (app) => Aspects.of(app).add(new AwsSolutionsChecks()));
    try {
      for (const { stack } of [checked.sender, checked.backend]) {
        const annotations = Annotations.fromStack(stack);
        const messages = [...annotations.findError('*', Match.anyValue()), ...annotations.findWarning('*', Match.anyValue())];
        expect(messages.map(({ id, entry }) => `${id}: ${JSON.stringify(entry.data)}`)).toEqual([]);
      }
    } finally {
      await checked.remove();
    }
  });

  test('are as they were, the places of the list of POPs told apart by their numbers alone', () => {
    for (const { body } of both()) {
      const text = JSON.stringify(body, (key, value: unknown) => (key === 'cdk_nag' ? undefined : value));
      const stable = text.replaceAll(/[0-9a-f]{64}/g, '<hash>').replaceAll(/(ServiceInstance)[0-9a-f]{8}/g, '$1<hash>');
      expect(withoutTwins(JSON.parse(stable) as TemplateBody)).toMatchSnapshot();
    }
  });

  test('both stacks report the cost of a POP when they are synthesized', () => {
    const [info] = Annotations.fromStack(stacks().sender.stack).findInfo('*', Match.anyValue());
    expect(info?.entry.data).toContain(
      'With the defaults, 60 requests a minute, a POP costs a month, for example:\n  IAD89-P1 (north-america) $2.81 for requests',
    );
  });
});

/**
 * The template without the entries of the second to the last place of the list of POPs, where they are the first place's but for their number.
 * An entry that is anything else stays, and shows.
 */
function withoutTwins(body: TemplateBody): unknown {
  const asFirst = (place: string, entry: unknown) =>
    JSON.stringify(entry).replaceAll(`Pop${place}IsListed`, 'Pop0IsListed').replaceAll(`{"Fn::Select":[${place},`, '{"Fn::Select":[0,');
  return Object.fromEntries(
    Object.entries(body).map(([section, entries]) => {
      if (typeof entries !== 'object' || entries === null) return [section, entries];
      const placed = Object.entries(entries as Readonly<Record<string, unknown>>).map(([id, entry]) => {
        const [, kind, place] = /^((?:Alarms)?Pop)(\d+?)(?:IsListed|[0-9A-F]{8})$/.exec(id) ?? [];
        return { id, entry, kind, place, text: place === undefined ? '' : asFirst(place, entry) };
      });
      const first = new Map(placed.filter(({ place }) => place === '0').map(({ kind, text }) => [kind, text]));
      const isTwin = ({ kind, place, text }: (typeof placed)[number]) => place !== undefined && place !== '0' && first.get(kind) === text;
      return [section, Object.fromEntries(placed.filter((each) => !isTwin(each)).map(({ id, entry }) => [id, entry]))];
    }),
  );
}
