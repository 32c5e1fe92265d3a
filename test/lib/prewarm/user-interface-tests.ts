import { expect, test } from 'vitest';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, synthesizeStacks } from './synthesize-stacks.ts';

/** Names within a resource that has another name or none. */
const LOCAL_NAMES: ReadonlySet<string> = new Set(['StageName', 'PolicyName', 'MetricName']);

export function testUserInterface(stacks: () => Synthesized): void {
  const bodies = () => [stacks().own.body, stacks().existing.body];

  test('both stacks have the same parameters with their defaults', () => {
    for (const { Parameters } of bodies()) {
      const defaults = [
        'envName',
        'ShowSuccessUrls',
        'AllowedDomains',
        'MaxTargets',
        'MaxInvalidationPaths',
        'InstanceType',
        'ThreadNumber',
        'MaxInstances',
        'OnDemandFallback',
        'SharesAtOnce',
        'alarmEmail',
      ].map((name) => Parameters[name]?.['Default']);
      expect(defaults).toEqual(['prod', 'false', '', 100_000_000, 3000, 'm6g.large', 6, 100, 10, 2, '']);
    }
  });

  test.each([
    ['MaxTargets', 'PREWARM_MAX_TARGETS'],
    ['MaxInvalidationPaths', 'PREWARM_MAX_INVALIDATION_PATHS'],
  ])('the bound %s is a whole number that the function of the API, and no other, is given', (parameter, variable) => {
    for (const body of bodies()) {
      expect(body.Parameters[parameter]).toMatchObject({ Type: 'Number', MinValue: 1, MaxValue: 999_999_999 });
      const given = resourcesOf(body, 'AWS::Lambda::Function').flatMap(([, { Properties = {} }]) => {
        const { Environment: environment, Description: description } = Properties as {
          readonly Environment?: { readonly Variables?: Readonly<Record<string, unknown>> };
          readonly Description?: string;
        };
        const value = environment?.Variables?.[variable];
        return value === undefined ? [] : [{ description, value }];
      });
      expect(given).toEqual([{ description: expect.stringMatching(/^Answers the HTTP API/), value: { Ref: parameter } }]);
    }
  });

  test('the stack in an existing VPC cannot be deployed without vpc, subnet and sg', () => {
    const { Parameters } = stacks().existing.body;
    for (const [name, type] of [
      ['vpc', 'AWS::EC2::VPC::Id'],
      ['subnet', 'List<AWS::EC2::Subnet::Id>'],
      ['sg', 'AWS::EC2::SecurityGroup::Id'],
    ] as const) {
      expect(Parameters[name]?.['Type']).toBe(type);
      expect(Parameters[name]).not.toHaveProperty('Default');
    }
    expect(Parameters['vpce']?.['Default']).toBe('');
    expect(Parameters['key']?.['Default']).toBe('');
  });

  test('a template rule ties the subnets to the VPC', () => {
    expect(stacks().existing.body.Rules['SubnetsAreInVpc']).toMatchObject({
      Assertions: [{ Assert: { 'Fn::EachMemberEquals': [{ 'Fn::ValueOf': ['subnet', 'VpcId'] }, { Ref: 'vpc' }] } }],
    });
  });

  test.each([
    ['m6g.large', true],
    ['m7g.16xlarge', true],
    ['c7gn.xlarge', true],
    ['r8g.medium', true],
    ['x2gd.4xlarge', true],
    ['im4gn.large', true],
    ['t4g.small', true],
    ['m5.large', false],
    ['m6i.large', false],
    ['c6id.xlarge', false],
    ['g4dn.xlarge', false],
    ['a1.large', false],
    ['m6g', false],
    ['m6g.metal', false],
    [' m6g.large', false],
  ])('InstanceType %s is allowed: %s', (type, isAllowed) => {
    for (const { Parameters } of bodies()) {
      const pattern = new RegExp(`^(?:${String(Parameters['InstanceType']?.['AllowedPattern'])})$`);
      expect(pattern.test(type)).toBe(isAllowed);
    }
  });

  test("both endpoint outputs are the stage's base URL with its final slash, and the key's output is its ARN", () => {
    for (const body of bodies()) {
      expect(Object.keys(body.Outputs).toSorted()).toEqual([
        'DashboardUrl',
        'PrewarmStatusApiEndpoint',
        'ReadKeyCommand',
        'prewarmapiEndpoint',
        'prewarmapikeyoutput',
      ]);
      const value = (name: string) => String(evaluate(body, body.Outputs[name]?.Value, {}));
      expect(value('prewarmapiEndpoint')).toMatch(/^https:\/\/<\w+>\.execute-api\.<AWS::Region>\.<AWS::URLSuffix>\/<\w+>\/$/);
      expect(value('PrewarmStatusApiEndpoint')).toBe(value('prewarmapiEndpoint'));
      expect(value('prewarmapikeyoutput')).toMatch(/^arn:<AWS::Partition>:apigateway:<AWS::Region>::\/apikeys\/<\w+>$/);
      const [, keyId] = /apikeys\/(<\w+>)$/.exec(value('prewarmapikeyoutput')) ?? [];
      expect(value('ReadKeyCommand')).toBe(
        `aws apigateway get-api-key --region <AWS::Region> --api-key ${keyId} --include-value --query value --output text`,
      );
      expect(value('DashboardUrl')).toMatch(/^https:\/\/<AWS::Region>\.console\.aws\.amazon\.com\/cloudwatch\/.*dashboard\/prewarm_prod$/);
    }
  });

  test('queue, group and functions carry the environment in their names', () => {
    for (const body of bodies()) {
      const names = (type: string, property: string, envName: string) =>
        resourcesOf(body, type).map(([, { Properties }]) => evaluate(body, Properties?.[property], { envName }));
      expect(names('AWS::SQS::Queue', 'QueueName', 'prod')).toContain('prewarm_task_prod');
      expect(names('AWS::SQS::Queue', 'QueueName', 'staging')).toContain('prewarm_task_staging');
      expect(names('AWS::AutoScaling::AutoScalingGroup', 'AutoScalingGroupName', 'prod')).toEqual([
        'prewarm_asg_prod',
        'prewarm_asg_prod_ondemand',
      ]);
      const functions = ['api', 'get-size', 'task', 'aggregate', 'shutdown', 'dead-letter', 'report'];
      expect(names('AWS::Lambda::Function', 'FunctionName', 'qa').filter((name) => name !== undefined)).toEqual(
        expect.arrayContaining(functions.map((name) => `prewarm_${name}_qa`)),
      );
    }
  });

  test('no name is fixed without the environment in it, so that two environments can live side by side', () => {
    for (const body of bodies()) {
      for (const [id, { Properties = {} }] of Object.entries(body.Resources)) {
        const named = Object.entries(Properties).filter(
          ([key, value]) => key.endsWith('Name') && !LOCAL_NAMES.has(key) && typeof value === 'string',
        );
        expect(named.map(([key, value]) => `${id}.${key}=${String(value)}`)).toEqual([]);
      }
    }
  });

  test('-c env=staging names the stacks and the parameter, and a malformed one is refused with what to pass', async () => {
    const staging = await synthesizeStacks({ env: 'staging' });
    try {
      expect([staging.own.stack.stackName, staging.existing.stack.stackName]).toEqual([
        'PrewarmStack-staging',
        'PrewarmExistingVpcStack-staging',
      ]);
      expect(staging.own.body.Parameters['envName']?.['Default']).toBe('staging');
    } finally {
      await staging.remove();
    }
    await expect(synthesizeStacks({ env: 'no spaces' })).rejects.toThrow(/-c env=staging/);
  });

  test('no template sets an edge option, for functions and agents alike', () => {
    for (const body of bodies()) {
      const text = JSON.stringify(body);
      for (const option of ['DNS_SERVER', 'EDGE_PORT', 'EDGE_HTTP_PORT', 'EDGE_MAP', 'CA_FILE', 'ALLOW_PRIVATE_ADDRESSES']) {
        expect(text).not.toContain(`PREWARM_${option}`);
      }
    }
  });
}
