import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Aspects } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDir } from '../embedded/temporary-dir.ts';
import { evaluate } from '../stacks/evaluate-template.ts';
import { resourcesOf, type TemplateBody } from '../stacks/synthesize-stacks.ts';
import { type Synthesized, type SynthesizedStack, synthesize } from './synthesize.ts';

const RUNBOOK = fileURLToPath(new URL('../../docs/runbook-keep-warm.md', import.meta.url));

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

type Properties = Readonly<Record<string, unknown>>;

function propertiesOf(body: TemplateBody, type: string, given: Readonly<Record<string, string>> = {}): Properties[] {
  return resourcesOf(body, type).map(([, { Properties }]) => evaluate(body, Properties, given) as Properties);
}

function onlyOne(body: TemplateBody, type: string, given: Readonly<Record<string, string>> = {}): Properties {
  const [first, ...others] = propertiesOf(body, type, given);
  if (first === undefined || others.length > 0) throw new Error(`${others.length + 1} resources of ${type}`);
  return first;
}

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
  test('has the parameters that are documented, and no others but its own', () => {
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

  test('starts a run at its time or not at all, after the budget was looked at', () => {
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

  test('has functions without reserved concurrency, the sender with 58 seconds', () => {
    const functions = propertiesOf(stacks().sender.body, 'AWS::Lambda::Function', PARAMETERS);
    expect(new Set(functions.map(({ FunctionName }) => FunctionName))).toEqual(
      new Set(['prewarm_keep-warm-budget_prod', 'prewarm_keep-warm_prod']),
    );
    const sender = functions.find(({ FunctionName }) => FunctionName === 'prewarm_keep-warm_prod');
    expect(sender).toMatchObject({ Timeout: 58, Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    for (const each of functions) expect(each).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  test('hands the real parameters to the function and to the check of the budget, and no edge options', () => {
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

  test('watches every POP that is listed by an alarm that names it, and no other', () => {
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

  test('alarms may publish to the topic that they tell, over TLS only', () => {
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

  test('has a section of the runbook for each alarm, and every section is one', () => {
    const anchors = alarmsOf(stacks().sender.body, PARAMETERS).map(
      ({ AlarmDescription }) => /runbook-keep-warm\.md#([\w-]+)$/.exec(String(AlarmDescription))?.[1],
    );
    const sections = [...readFileSync(RUNBOOK, 'utf8').matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    expect(new Set(anchors)).toEqual(new Set(sections));
    expect(readFileSync(RUNBOOK, 'utf8').match(/^### (Description|Investigation|Resolution)$/gm)).toHaveLength(3 * sections.length);
  });

  test('claims minutes in a table on demand whose rows go by themselves', () => {
    expect(onlyOne(stacks().sender.body, 'AWS::DynamoDB::Table')).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    });
  });

  test('may read the secret that is named, and none otherwise', () => {
    const secretsFor = (headersSecret: string) =>
      statementsOf(stacks().sender, { headersSecret })
        .filter(({ Action }) => [Action].flat().includes('secretsmanager:GetSecretValue'))
        .map(({ Resource }) => Resource);
    const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:headers-abcdef';
    expect(new Set(secretsFor(arn))).toEqual(new Set([arn]));
    expect(secretsFor('')).toHaveLength(2);
    for (const resource of secretsFor('')) expect(resource).toMatch(/:secret:none$/);
  });

  test('takes a list of routes from the context: no parameters of a single one, and an alarm for each host and POP', async () => {
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
      expect(info?.entry.data).toContain('= 46,080 requests a day: SIN2-P1 (asia-pacific) $');
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
  ])('fails the synthesis for a list that is wrong: %s', async (name, content, message) => {
    const file = join(temporaryDir(), name);
    if (content !== null) writeFileSync(file, content);
    await expect(synthesize({ keepWarm: file })).rejects.toThrow(message);
  });
});

describe('the backend to try it on', () => {
  const CERTIFIED = {
    originDomainName: 'origin.example.com',
    originCertificateSecret: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:tls-abcdef',
  };
  const group = (given: Readonly<Record<string, string>>) =>
    onlyOne(withoutMapping(stacks().backend.body), 'AWS::EC2::SecurityGroup', given);

  test('caches nothing and keeps origin connections for a minute', () => {
    const { DistributionConfig: config } = onlyOne(stacks().backend.body, 'AWS::CloudFront::Distribution') as {
      DistributionConfig: Record<string, unknown>;
    };
    expect(config).toMatchObject({
      DefaultCacheBehavior: { CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad', ViewerProtocolPolicy: 'https-only' },
      Origins: [{ CustomOriginConfig: { OriginKeepaliveTimeout: 60, OriginProtocolPolicy: 'http-only' } }],
    });
  });

  test('reaches the instance by its own address over HTTP, and by a name of the user over HTTPS with a certificate', () => {
    const { body } = stacks().backend;
    const origin = (given: Readonly<Record<string, string>>) => {
      const { DistributionConfig: config } = onlyOne(body, 'AWS::CloudFront::Distribution', given) as {
        DistributionConfig: { Origins: Properties[] };
      };
      return config.Origins[0];
    };
    const inRegion = (region: string) =>
      String(origin({ 'AWS::Region': region, 'AWS::URLSuffix': 'amazonaws.com', ...address })?.['DomainName']);
    const address = { [resourcesOf(body, 'AWS::EC2::EIP')[0]?.[0] ?? '']: '192.0.2.1' };
    expect(inRegion('eu-west-1')).toBe('ec2-192-0-2-1.eu-west-1.compute.amazonaws.com');
    expect(inRegion('us-east-1')).toBe('ec2-192-0-2-1.compute-1.amazonaws.com');
    expect(origin(CERTIFIED)).toMatchObject({
      DomainName: 'origin.example.com',
      CustomOriginConfig: { OriginProtocolPolicy: 'https-only' },
    });
  });

  test('admits the prefix list of CloudFront at one port and nothing else', () => {
    const admitted = (given: Readonly<Record<string, string>>) =>
      group({ originFacingPrefixList: 'pl-1', ...given })['SecurityGroupIngress'];
    expect(admitted({})).toMatchObject([{ SourcePrefixListId: 'pl-1', FromPort: 80, ToPort: 80 }]);
    expect(admitted(CERTIFIED)).toMatchObject([{ SourcePrefixListId: 'pl-1', FromPort: 443, ToPort: 443 }]);
    expect(JSON.stringify(admitted({}))).not.toContain('CidrIp');
    expect(resourcesOf(stacks().backend.body, 'AWS::EC2::SecurityGroupIngress')).toEqual([]);
    const mapping = (stacks().backend.template.toJSON() as { Mappings: { OriginFacing: Record<string, { id: string }> } }).Mappings
      .OriginFacing;
    const known = Object.values(mapping).filter(({ id }) => id !== 'unknown');
    expect(new Set(known.map(({ id }) => id)).size).toBe(known.length);
    for (const { id } of known) expect(id).toMatch(/^pl-[0-9a-f]{8}$/);
  });

  test('says what to pass in a region whose prefix list the template does not know, and takes it', () => {
    const { Mappings, Rules } = stacks().backend.template.toJSON() as {
      Mappings: { OriginFacing: Record<string, { id: string }> };
      Rules: Record<string, unknown>;
    };
    // A missing key fails the deploy even where the condition asks for the other value, so that every region has one.
    for (const region of ['ap-southeast-3', 'eu-central-2', 'il-central-1', 'mx-central-1'])
      expect(Mappings.OriginFacing[region]).toEqual({ id: 'unknown' });
    expect(Mappings.OriginFacing['eu-west-1']).toEqual({ id: 'pl-4fa04526' });
    const rule = JSON.stringify(Rules['PrefixListIsKnown']);
    expect(rule).toContain('aws ec2 describe-managed-prefix-lists');
    expect(rule).toContain('il-central-1');
    expect(rule).not.toContain('eu-west-1');
  });

  test('refuses one of name and certificate without the other', () => {
    const { Rules: rules } = stacks().backend.body;
    expect(JSON.stringify(rules['BothOrNeither'])).toContain('set both for HTTPS to the origin, or neither');
  });

  test('runs on one small hardened instance whose script is correct, and fetches the certificate only where there is one', () => {
    const { body } = stacks().backend;
    const instance = onlyOne(body, 'AWS::EC2::Instance', CERTIFIED);
    expect(instance).toMatchObject({
      // A gigabyte: with half of it, installing packages is killed for want of memory.
      InstanceType: 't4g.micro',
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      BlockDeviceMappings: [{ Ebs: { Encrypted: true } }],
    });
    const [[, resource] = []] = resourcesOf(body, 'AWS::EC2::Instance');
    expect((resource as { DependsOn?: string[] }).DependsOn).toContainEqual(expect.stringMatching(/^ServiceVpc.*DefaultRoute/));
    const script = String(instance['UserData']);
    expect(script).toContain(`secret='${CERTIFIED.originCertificateSecret}'`);
    const inner = [...script.matchAll(/<<'END_OF_FILE'\n(#!\/bin\/bash[\s\S]*?)\nEND_OF_FILE/g)].map(([, text = '']) => text);
    expect(inner).toHaveLength(2);
    for (const text of [script, ...inner]) execFileSync('bash', ['-n'], { input: text });
    expect(String(onlyOne(body, 'AWS::EC2::Instance')['UserData'])).toContain("secret=''\n");
  });
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

/** Which id a region has is nothing to be evaluated. */
function withoutMapping(body: TemplateBody): TemplateBody {
  return JSON.parse(
    JSON.stringify(body).replaceAll(/\{"Fn::FindInMap":\["OriginFacing",\{"Ref":"AWS::Region"\},"id"\]\}/g, '"pl-of-region"'),
  ) as TemplateBody;
}

describe('both stacks', () => {
  const both = () => [stacks().sender, stacks().backend];

  test('allow named actions on named resources only', () => {
    for (const each of both()) {
      for (const { Action, Resource } of statementsOf(each, PARAMETERS)) {
        expect(JSON.stringify([Action, Resource])).not.toContain('*');
      }
    }
  });

  test('leave cdk-nag nothing unsuppressed to say', async () => {
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

  test('are as they were', () => {
    for (const { body } of both()) {
      const text = JSON.stringify(body, (key, value: unknown) => (key === 'cdk_nag' ? undefined : value));
      const stable = text.replaceAll(/[0-9a-f]{64}/g, '<hash>').replaceAll(/(ServiceInstance)[0-9a-f]{8}/g, '$1<hash>');
      expect(JSON.parse(stable)).toMatchSnapshot();
    }
  });

  test('tell the cost of a POP when they are synthesized', () => {
    const [info] = Annotations.fromStack(stacks().sender.stack).findInfo('*', Match.anyValue());
    expect(info?.entry.data).toContain(
      'With the defaults, 60 requests a minute, a POP costs a month, for example: IAD89-P1 (north-america) $2.81 for requests',
    );
  });
});
