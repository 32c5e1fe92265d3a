import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { evaluate } from './evaluate-template.ts';
import { statementsOf } from './permission-tests.ts';
import { type Resource, resourcesOf, type Synthesized, type TemplateBody } from './synthesize-stacks.ts';

export function testTriggers(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('no stream has more than two readers', () => {
    for (const { body } of both()) {
      const streams = streamMappings(body).map(({ EventSourceArn }) => JSON.stringify(EventSourceArn));
      expect(streams).toHaveLength(3);
      for (const stream of streams) expect(streams.filter((other) => other === stream).length).toBeLessThanOrEqual(2);
    }
  });

  test('every reader of a stream answers in parts, halves, gives up in time, and hands what it gave up to a queue', () => {
    for (const { body } of both()) {
      for (const mapping of streamMappings(body)) {
        expect(mapping).toMatchObject({
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          BisectBatchOnFunctionError: true,
          MaximumRetryAttempts: 10,
          MaximumRecordAgeInSeconds: 6 * 60 * 60,
          // Tasks are counted into the rows of their request: two batches of one request would race for them.
          ParallelizationFactor: functionOf(mapping) === 'Aggregate' ? 1 : { Ref: 'SharesAtOnce' },
          StartingPosition: 'TRIM_HORIZON',
          DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [expect.stringMatching(/^QueuesFailed/), 'Arn'] } } },
        });
      }
    }
  });

  test('each reader is woken only for what concerns it', () => {
    for (const { body } of both()) {
      const filters = Object.fromEntries(streamMappings(body).map((mapping) => [functionOf(mapping), patternsOf(mapping)]));
      expect(filters).toEqual({
        GetSize: [{ eventName: ['INSERT'] }],
        Task: [
          {
            eventName: ['MODIFY'],
            dynamodb: {
              NewImage: { status: { S: ['QUEUEING'] } },
              OldImage: { status: { S: [{ 'anything-but': ['QUEUEING'] }] } },
            },
          },
        ],
        Aggregate: [{ eventName: ['INSERT'] }],
      });
    }
  });

  test('queues wake sizing, planning and the recorder of dead letters, with partial answers and a bound', () => {
    for (const { body } of both()) {
      const mappings = mappingsOf(body).filter((mapping) => mapping['StartingPosition'] === undefined);
      expect(mappings.map(functionOf).toSorted()).toEqual(['DeadLetter', 'GetSize', 'Task']);
      for (const mapping of mappings) {
        expect(mapping).toMatchObject({
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          ScalingConfig: { MaximumConcurrency: functionOf(mapping) === 'DeadLetter' ? 2 : { Ref: 'SharesAtOnce' } },
        });
      }
    }
  });

  test('Lambda lets every function go on that may wake itself through queues, and watches all others for loops', () => {
    for (const { body } of both()) {
      const functions = resourcesOf(body, 'AWS::Lambda::Function').filter(([id]) => id.startsWith('Functions'));
      const wakes = wokenBy(body, functions);
      const reaches = (from: string, seen = new Set<string>()): Set<string> => {
        for (const next of wakes.get(from) ?? []) if (!seen.has(next)) reaches(next, seen.add(next));
        return seen;
      };
      const looping = functions.map(([id]) => id).filter((id) => reaches(id).has(id));
      expect(looping.map(functionName)).toEqual(expect.arrayContaining(['GetSize', 'Task']));
      const allowed = functions.filter(([, { Properties }]) => Properties?.['RecursiveLoop'] === 'Allow').map(([id]) => id);
      expect(allowed.map(functionName).toSorted()).toEqual(looping.map(functionName).toSorted());
    }
  });

  test('sizing and planning may have a message that failed come back early', () => {
    for (const { body } of both()) {
      const early = statementsOf(body).filter(({ actions }) => actions.includes('sqs:ChangeMessageVisibility'));
      for (const [role, queue] of [
        [/^FunctionsGetSizeRole/, /^<QueuesSizes/],
        [/^FunctionsTaskRole/, /^<QueuesPlans/],
      ] as const) {
        const queues = early.filter((statement) => role.test(statement.role)).flatMap(({ resources }) => resources);
        expect(queues).toEqual([expect.stringMatching(queue)]);
      }
    }
  });

  test('a message stays hidden for longer than its function may take', () => {
    for (const { body } of both()) {
      const timeouts = resourcesOf(body, 'AWS::Lambda::Function').map(
        ([id, { Properties }]) => [id, Number(Properties?.['Timeout'])] as const,
      );
      const timeoutOf = (name: string) => timeouts.find(([id]) => id.startsWith(`Functions${name}Handler`))?.[1];
      const leaseOf = (id: RegExp) => {
        const [queue] = resourcesOf(body, 'AWS::SQS::Queue').filter(([queueId]) => id.test(queueId));
        return Number(queue?.[1].Properties?.['VisibilityTimeout']);
      };
      expect(leaseOf(/^QueuesSizes/)).toBeGreaterThan(timeoutOf('GetSize') ?? Number.POSITIVE_INFINITY);
      expect(leaseOf(/^QueuesPlans/)).toBeGreaterThan(timeoutOf('Task') ?? Number.POSITIVE_INFINITY);
      expect(leaseOf(/^QueuesDeadTasks/)).toBeGreaterThan(timeoutOf('DeadLetter') ?? Number.POSITIVE_INFINITY);
    }
  });

  test('the fleet is looked at every five minutes, and an ended request is reported', () => {
    for (const { template } of both()) {
      const failed = { Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^QueuesFailed'), 'Arn'] } };
      const target = (id: string, more: object) => [
        Match.objectLike({
          Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp(`^Functions${id}Handler`), 'Arn'] },
          DeadLetterConfig: failed,
          ...more,
        }),
      ];
      template.hasResourceProperties('AWS::Events::Rule', {
        ScheduleExpression: 'rate(5 minutes)',
        Targets: target('Shutdown', { Input: '{"kind":"fleet"}' }),
      });
      template.hasResourceProperties('AWS::Events::Rule', {
        EventPattern: { source: ['cloudfront-prewarm'], 'detail-type': ['PrewarmRequestEnded'] },
        Targets: target('Report', {}),
      });
    }
  });

  test('functions that are called without anybody waiting hand their failures to a queue', () => {
    for (const { template } of both()) {
      template.resourceCountIs('AWS::Lambda::EventInvokeConfig', 2);
      template.allResourcesProperties('AWS::Lambda::EventInvokeConfig', {
        MaximumRetryAttempts: 2,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [Match.stringLikeRegexp('^QueuesFailed'), 'Arn'] } } },
      });
    }
  });

  test('functions run on Node 24 on arm64, and none reserves concurrency', () => {
    for (const { body } of both()) {
      const own = resourcesOf(body, 'AWS::Lambda::Function').filter(([id]) => id.startsWith('Functions'));
      expect(own).toHaveLength(7);
      for (const [, { Properties }] of own)
        expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
      expect(JSON.stringify(body)).not.toContain('ReservedConcurrentExecutions');
    }
  });
}

type Mapping = Readonly<Record<string, unknown>>;

function mappingsOf(body: TemplateBody): Mapping[] {
  return resourcesOf(body, 'AWS::Lambda::EventSourceMapping').map(([, { Properties = {} }]) => Properties);
}

function streamMappings(body: TemplateBody): Mapping[] {
  return mappingsOf(body).filter((mapping) => mapping['StartingPosition'] !== undefined);
}

function functionOf({ FunctionName }: Mapping): string {
  return functionName((FunctionName as { Ref: string }).Ref);
}

function functionName(id: string): string {
  return id.replace(/^Functions(\w+)Handler\w{8}$/, '$1');
}

/** By function: the functions that are woken by queues to which it may send. */
function wokenBy(body: TemplateBody, functions: readonly [string, Resource][]): ReadonlyMap<string, readonly string[]> {
  const statements = statementsOf(body);
  const readers = mappingsOf(body).map(({ EventSourceArn, FunctionName }) => ({
    arn: String(evaluate(body, EventSourceArn, {})),
    reader: (FunctionName as { Ref: string }).Ref,
  }));
  return new Map(
    functions.map(([id, { Properties }]) => {
      const role = /^<(\w+)\.Arn>$/.exec(String(evaluate(body, Properties?.['Role'], {})))?.[1] ?? '';
      const sends = statements
        .filter((statement) => statement.role.startsWith(role.slice(0, -8)) && statement.actions.includes('sqs:SendMessage'))
        .flatMap(({ resources }) => resources);
      return [id, readers.filter(({ arn }) => sends.includes(arn)).map(({ reader }) => reader)] as const;
    }),
  );
}

function patternsOf({ FilterCriteria }: Mapping): unknown[] {
  return (FilterCriteria as { Filters: { Pattern: string }[] }).Filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown);
}
