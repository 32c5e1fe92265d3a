import { randomUUID } from 'node:crypto';
import { Aspects, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { keys } from '../../../core/keys.ts';
import { WILDCARD_REASONS } from '../../../lib/shared/wildcard-reasons.ts';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, synthesizeStacks, type TemplateBody } from './synthesize-stacks.ts';

export interface Statement {
  readonly role: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: unknown;
}

/** Of the rows in which agents tell what they have finished, as policies name them. */
const LEADING_KEYS = 'agents#????????-????-????-????-????????????';

const READING = ['GetItem', 'BatchGetItem', 'Query'].map((action) => `dynamodb:${action}`);

export function testPermissions(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('every allowed action is named', () => {
    for (const { body } of both()) {
      const statements = statementsOf(body);
      expect(statements.length).toBeGreaterThan(30);
      expect(statements.filter(({ actions }) => actions.some((action) => action.includes('*')))).toEqual([]);
    }
  });

  test('every resource is named, but where a listed reason says why not', () => {
    for (const { body } of both()) {
      const unexplained = statementsOf(body).flatMap(({ role, actions, resources }) =>
        resources
          .filter((resource) => resource.includes('*'))
          .flatMap((resource) =>
            actions.filter((action) => !isExplained(action, resource)).map((action) => `${role}: ${action} on ${resource}`),
          ),
      );
      expect(unexplained).toEqual([]);
    }
  });

  test('no listed reason is without use', () => {
    const allowed = new Set(both().flatMap(({ body }) => statementsOf(body).flatMap(({ actions }) => actions)));
    expect(WILDCARD_REASONS.flatMap(({ actions }) => actions).filter((action) => !allowed.has(action))).toEqual([]);
  });

  test('every function has a role of its own', () => {
    for (const { body } of both()) {
      const roles = resourcesOf(body, 'AWS::Lambda::Function').map(([, { Properties }]) => JSON.stringify(Properties?.['Role']));
      expect(new Set(roles).size).toBe(roles.length);
    }
  });

  test('nothing may purge a queue, delete a table or a bucket, or pass a role but that of the schedules', () => {
    for (const { body } of both()) {
      const statements = statementsOf(body);
      const allowed = new Set(statements.flatMap(({ actions }) => actions));
      for (const never of ['sqs:PurgeQueue', 'dynamodb:DeleteTable', 's3:DeleteBucket', 'ec2:TerminateInstances'])
        expect(allowed).not.toContain(never);
      const passed = statements.filter(({ actions }) => actions.includes('iam:PassRole')).flatMap(({ resources }) => resources);
      expect(new Set(passed)).toEqual(new Set([expect.stringMatching(/^<SchedulesRole\w+\.Arn>$/)]));
    }
  });

  test('an agent writes no row of a plan, of a POP, of the operator, of active requests or of idempotency keys, and changes no request', () => {
    for (const { body } of both()) {
      const rows = statementsOf(body).filter(
        ({ role, actions }) => role.startsWith('AgentRole') && actions.some((action) => action.startsWith('dynamodb:')),
      );
      const writing = rows.filter(({ actions }) => actions.some((action) => !/Get|Query/.test(action)));
      expect(writing.map(({ actions, resources, conditions }) => ({ actions, resources, conditions }))).toEqual([
        {
          actions: ['dynamodb:DeleteItem', 'dynamodb:PutItem'],
          resources: [expect.stringMatching(/^<TablesRequestPops\w+\.Arn>$/)],
          conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [LEADING_KEYS] }, Null: { 'dynamodb:LeadingKeys': 'false' } },
        },
        {
          actions: ['dynamodb:GetItem', 'dynamodb:PutItem'],
          resources: [expect.stringMatching(/^<TablesRequestTasks\w+\.Arn>$/)],
          conditions: undefined,
        },
      ]);
    }
    const fits = new RegExp(`^${LEADING_KEYS.replaceAll('?', '.')}$`);
    expect(`agents#${randomUUID()}`).toMatch(fits);
    const others = [
      randomUUID(),
      'operator',
      'active',
      'idempotency#default',
      `idempotency#${randomUUID()}`,
      `idempotency#${'x'.repeat(24)}`,
    ];
    expect(others.filter((key) => fits.test(key))).toEqual([]);
  });

  test('each function writes to the table of requests what its step needs, and only the API makes rows', () => {
    const writes: Record<string, readonly string[]> = {
      Api: ['PutItem', 'UpdateItem'],
      GetSize: ['UpdateItem'],
      Task: ['UpdateItem'],
      Aggregate: ['UpdateItem'],
      Shutdown: ['UpdateItem'],
      // Drops viewers' secrets once the end was told.
      Report: ['UpdateItem'],
    };
    for (const { body } of both()) {
      const seen: Record<string, string[]> = {};
      for (const { role, actions, resources } of statementsOf(body)) {
        if (!resources.some((resource) => /^<TablesRequests\w+\.Arn>$/.test(resource))) continue;
        const written = actions.filter((action) => !READING.includes(action)).map((action) => action.replace('dynamodb:', ''));
        if (written.length === 0) continue;
        const name = /^Functions(\w+?)Role/.exec(role)?.[1] ?? role;
        seen[name] = [...new Set([...(seen[name] ?? []), ...written])].toSorted();
      }
      expect(seen).toEqual(writes);
    }
  });

  test('an agent reads headers by a name it was given, and can neither list names nor look one up', () => {
    for (const { body } of both()) {
      const own = statementsOf(body).filter(({ role }) => role.startsWith('AgentRole'));
      const allowed = (action: string) => own.filter(({ actions }) => actions.includes(action)).flatMap(({ resources }) => resources);
      expect(allowed('s3:ListBucket')).toEqual([]);
      expect(allowed('s3:GetObject').filter((resource) => resource.includes('ListsBucket'))).toEqual([
        expect.stringMatching(/^<ListsBucket\w+\.Arn>\/headers\/\*$/),
        expect.stringMatching(/^<ListsBucket\w+\.Arn>\/requests\/\*$/),
      ]);
      for (const action of READING) {
        expect(allowed(action).filter((resource) => resource.includes('TablesRequestPops'))).toEqual([]);
      }
    }
    expect(keys.headers('n')).toBe('headers/n.json');
  });

  test('headers are put by the API, read by the sizer and by agents, deleted by the reporter, and by nobody else', () => {
    for (const { body } of both()) {
      const able = (action: string) =>
        statementsOf(body)
          .filter(({ actions, resources }) => actions.includes(action) && resources.some((resource) => resource.includes('/headers/')))
          .map(({ role }) => role.replace(/^Functions|Role\w*$/g, ''))
          .toSorted();
      expect(able('s3:PutObject')).toEqual(['Api']);
      expect(able('s3:GetObject')).toEqual(['Agent', 'GetSize']);
      expect(able('s3:DeleteObject')).toEqual(['Report']);
    }
  });

  test('agents and the recorder of dead letters put results of tasks and no other object, and delete none', () => {
    for (const { body } of both()) {
      const statements = statementsOf(body);
      for (const role of ['AgentRole', 'FunctionsDeadLetterRole']) {
        const own = statements.filter((statement) => statement.role.startsWith(role));
        const puts = own.filter(({ actions }) => actions.some((action) => action.startsWith('s3:') && !/Get|List/.test(action)));
        expect(puts.map(({ actions, resources }) => ({ actions, resources }))).toEqual([
          { actions: ['s3:PutObject'], resources: [expect.stringMatching(/^<ListsBucket\w+\.Arn>\/requests\/\*\/results\/\*$/)] },
        ]);
      }
    }
  });

  test('a result that is there is replaced by nobody, neither by one put nor by a multipart upload', () => {
    for (const { body } of both()) {
      const policies = resourcesOf(body, 'AWS::S3::BucketPolicy').map(([, { Properties }]) => evaluate(body, Properties, {}));
      expect(policies).toEqual([
        {
          Bucket: expect.anything(),
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: expect.arrayContaining([
              {
                Effect: 'Deny',
                Principal: { AWS: '*' },
                Action: 's3:PutObject',
                Resource: expect.stringMatching(/\/requests\/\*\/results\/\*$/),
                Condition: { Null: { 's3:if-none-match': 'true' } },
              },
            ]),
          },
        },
      ]);
    }
    expect(keys.result('id', 'IAD89-P1#0#0.1')).toMatch(/^requests\/[^/]+\/results\//);
  });

  test('an agent sends no invalidation, sets no capacity, passes no role, and leaves functions, schedules and topics alone', () => {
    for (const { body } of both()) {
      const allowed = statementsOf(body).filter(({ role }) => role.startsWith('AgentRole'));
      expect([...new Set(allowed.flatMap(({ actions }) => actions))].toSorted()).toEqual([
        'autoscaling:SetInstanceProtection',
        'dynamodb:DeleteItem',
        'dynamodb:GetItem',
        'dynamodb:PutItem',
        'logs:CreateLogStream',
        'logs:DescribeLogStreams',
        'logs:PutLogEvents',
        's3:GetObject',
        's3:PutObject',
        'sqs:ChangeMessageVisibility',
        'sqs:DeleteMessage',
        'sqs:ReceiveMessage',
        'sqs:SendMessage',
        'ssm:UpdateInstanceInformation',
        'ssmmessages:CreateControlChannel',
        'ssmmessages:CreateDataChannel',
        'ssmmessages:OpenControlChannel',
        'ssmmessages:OpenDataChannel',
      ]);
    }
  });

  test('who may terminate instances of the group may take their protection back, which stands in the way of it', () => {
    for (const { body } of both()) {
      const statements = statementsOf(body);
      const terminating = statements.filter(({ actions }) => actions.includes('autoscaling:TerminateInstanceInAutoScalingGroup'));
      expect(terminating).toHaveLength(1);
      for (const { role, resources } of terminating) {
        const own = statements.filter((other) => other.role === role && other.actions.includes('autoscaling:SetInstanceProtection'));
        expect(own.flatMap((statement) => statement.resources)).toEqual(resources);
      }
    }
  });

  test('whoever may do something to one group may do it to the other, which holds agents of the same fleet', () => {
    for (const { body } of both()) {
      const onGroups = statementsOf(body).filter(({ resources }) => resources.some((resource) => resource.includes(':autoScalingGroup:')));
      expect(onGroups.length).toBeGreaterThan(5);
      for (const { resources } of onGroups)
        expect(resources.map((resource) => resource.split('/').at(-1) ?? '').toSorted()).toEqual([
          'prewarm_asg_prod',
          'prewarm_asg_prod_ondemand',
        ]);
    }
  });

  test('cdk-nag has nothing unsuppressed to say about either stack', async () => {
    const checked = await synthesizeStacks({}, (app) => Aspects.of(app).add(new AwsSolutionsChecks()));
    try {
      for (const { stack } of [checked.own, checked.existing]) {
        const messages = ['Error', 'Warning'].flatMap((level) =>
          Annotations.fromStack(stack)[`find${level as 'Error' | 'Warning'}`]('*', Match.anyValue()),
        );
        expect(messages.map(({ id, entry }) => `${id}: ${JSON.stringify(entry.data)}`)).toEqual([]);
      }
    } finally {
      await checked.remove();
    }
  });

  test('cdk-nag reports a fault that is put in', async () => {
    const careless = synthesizeStacks({}, (app) => {
      new Bucket(new Stack(app, 'Careless'), 'Bucket');
      Aspects.of(app).add(new AwsSolutionsChecks());
    });
    await expect(careless).rejects.toThrow(/AwsSolutions-S10/);
  });

  test('a value that CloudFormation would refuse fails the synthesis', async () => {
    const refused = synthesizeStacks({}, (app) => {
      new CfnQueue(new Stack(app, 'Refused'), 'Queue', { visibilityTimeout: 50_000 });
    });
    await expect(refused).rejects.toThrow(/VisibilityTimeout/);
  });
}

function isExplained(action: string, resource: string): boolean {
  return WILDCARD_REASONS.some((reason) => reason.actions.includes(action) && new RegExp(`^${reason.resource}$`).test(resource));
}

/** What roles are allowed, by policies of their own and in the role itself. */
export function statementsOf(body: TemplateBody): Statement[] {
  const attached = resourcesOf(body, 'AWS::IAM::Policy').map(([id, { Properties }]) => ({ id, policies: [Properties] }));
  const inline = resourcesOf(body, 'AWS::IAM::Role').map(([id, { Properties }]) => ({
    id,
    policies: (Properties?.['Policies'] ?? []) as unknown[],
  }));
  return [...attached, ...inline].flatMap(({ id, policies }) =>
    policies.flatMap((policy) => {
      const { PolicyDocument } = evaluate(body, policy, {}) as { PolicyDocument: { Statement: Record<string, unknown>[] } };
      return PolicyDocument.Statement.filter(({ Effect }) => Effect === 'Allow').map(({ Action, Resource, Condition }) => ({
        role: id,
        actions: [Action].flat() as string[],
        resources: [Resource].flat() as string[],
        conditions: Condition,
      }));
    }),
  );
}
