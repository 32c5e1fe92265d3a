import { CreateAutoScalingGroupCommand, CreateLaunchConfigurationCommand } from '@aws-sdk/client-auto-scaling';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { CreateEventBusCommand } from '@aws-sdk/client-eventbridge';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateScheduleGroupCommand, ListSchedulesCommand } from '@aws-sdk/client-scheduler';
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAsgFleet } from '../../adapters/aws/asg-fleet.ts';
import { createDynamoRequestStore } from '../../adapters/aws/dynamo-request-store.ts';
import { createS3ListStore } from '../../adapters/aws/s3-list-store.ts';
import { createSqsQueue } from '../../adapters/aws/sqs-queue.ts';
import { systemClock } from '../../core/clock.ts';
import type { TaskMessage } from '../../core/work/task.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { createTables } from '../../testing/aws-account/dynamo-test-tables.ts';
import { describeWithAccount } from '../../testing/aws-account/with-account.ts';
import { createAwsClients } from '../../testing/aws-account/aws-clients.ts';
import type { EmulatedAccount } from '../../testing/aws-account/emulated-account.ts';
import { makeTemporaryDir } from '../../testing/temporary-dir.ts';
import { workTask } from '../../testing/pipeline-fixture.ts';
import { failuresOf, queueRecord, requestRecord, taskRecord } from './function-world.ts';
import { type FunctionProcess, startFunction } from './function-process.ts';

const GROUP = 'prewarm_asg_test';
const NAMES = ['api', 'get-size', 'task', 'aggregate', 'shutdown', 'dead-letter', 'report'] as const;

type Name = (typeof NAMES)[number];

/** What a stack makes, by hand: the deployed one has tests of its own. */
async function makeResources(account: EmulatedAccount) {
  const { region } = account;
  const clients = createAwsClients(account);
  const tables = await createTables(clients.dynamo);
  await clients.s3.send(new CreateBucketCommand({ Bucket: 'lists' }));
  const queue = async (name: string) => (await clients.sqs.send(new CreateQueueCommand({ QueueName: name }))).QueueUrl ?? '';
  const launch = { LaunchConfigurationName: GROUP, ImageId: 'ami-1', InstanceType: 'm6g.large' };
  await clients.groups.send(new CreateLaunchConfigurationCommand(launch));
  const group = { AutoScalingGroupName: GROUP, LaunchConfigurationName: GROUP, AvailabilityZones: [`${region}a`], MinSize: 0, MaxSize: 10 };
  await clients.groups.send(new CreateAutoScalingGroupCommand({ ...group, DesiredCapacity: 0 }));
  await clients.scheduler.send(new CreateScheduleGroupCommand({ Name: 'prewarm_test' }));
  await clients.bus.send(new CreateEventBusCommand({ Name: 'prewarm_test' }));
  const { TopicArn: topicArn = '' } = await clients.sns.send(new CreateTopicCommand({ Name: 'prewarm_test' }));
  const ends = await queue('ends');
  const { Attributes: told } = await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl: ends, AttributeNames: ['QueueArn'] }));
  await clients.sns.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint: told?.['QueueArn'] }));
  const urls = { tasks: await queue('tasks'), sizes: await queue('sizes'), plans: await queue('plans'), ends };
  return { clients, tables, urls, topicArn };
}

type Resources = Awaited<ReturnType<typeof makeResources>>;

const environment = ({ tables, urls, topicArn }: Resources, edge: { caFile: string; edgeMapFile: string }) => ({
  PREWARM_ENV_NAME: 'test',
  PREWARM_REQUEST_TABLE: tables.requests,
  PREWARM_POP_TABLE: tables.pops,
  PREWARM_TASK_TABLE: tables.tasks,
  PREWARM_BUCKET: 'lists',
  PREWARM_TASK_QUEUE_URL: urls.tasks,
  PREWARM_SIZE_QUEUE_URL: urls.sizes,
  PREWARM_PLAN_QUEUE_URL: urls.plans,
  PREWARM_GROUP_NAME: GROUP,
  PREWARM_MAX_INSTANCES: '10',
  PREWARM_SCHEDULE_GROUP: 'prewarm_test',
  PREWARM_SHUTDOWN_FUNCTION_ARN: 'arn:aws:lambda:eu-west-1:111122223333:function:prewarm_shutdown_test',
  PREWARM_SCHEDULE_ROLE_ARN: 'arn:aws:iam::111122223333:role/prewarm-schedules',
  PREWARM_EVENT_BUS: 'prewarm_test',
  PREWARM_TOPIC_ARN: topicArn,
  PREWARM_EDGE_MAP: edge.edgeMapFile,
  PREWARM_CA_FILE: edge.caFile,
  PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
});

describeWithAccount('The functions on their AWS adapters', (account) => {
  const functions = new Map<Name, FunctionProcess>();
  const dir = makeTemporaryDir();
  let edge: SimulatedEdge | null = null;
  let resources: Resources | null = null;

  const fn = (name: Name): FunctionProcess => {
    const started = functions.get(name);
    if (started === undefined) throw new Error(`${name} is not started`);
    return started;
  };

  beforeAll(async () => {
    edge = await createSimulatedEdge({});
    resources = await makeResources(account());
    const env = { ...account().env, ...environment(resources, await edge.writeFiles(dir.path)) };
    for (const name of NAMES) functions.set(name, startFunction(name, env));
  });

  afterAll(async () => {
    for (const each of functions.values()) await each.stop();
    for (const client of Object.values(resources?.clients ?? {})) client.destroy();
    await edge?.close();
    dir.remove();
  });

  async function ask(path: string, json?: unknown) {
    const [below = '', query = ''] = path.split('?');
    const parameters = Object.fromEntries(new URLSearchParams(query));
    const { statusCode, body } = await fn('api').invoke<APIGatewayProxyResult>({
      resource: '/{proxy+}',
      path: below,
      pathParameters: { proxy: below.slice(1) },
      httpMethod: json === undefined ? 'GET' : 'POST',
      headers: { 'x-api-key': 'never-to-be-logged' },
      queryStringParameters: query === '' ? null : parameters,
      body: json === undefined ? null : JSON.stringify(json),
      isBase64Encoded: false,
      requestContext: { stage: 'prod', identity: { apiKeyId: 'key-7' } },
    });
    return { statusCode, body: JSON.parse(body) as Record<string, unknown> };
  }

  test('a request goes from its POST to its report, each step in the function that is its own', async () => {
    if (resources === null || edge === null) throw new Error('nothing was made');
    const { clients, tables, urls } = resources;
    const store = createDynamoRequestStore({ client: clients.dynamo, tables, clock: systemClock });
    const lists = createS3ListStore(clients.s3, { bucket: 'lists' });
    const tasks = createSqsQueue<TaskMessage>(clients.sqs, { url: urls.tasks });
    const fleet = createAsgFleet(clients.groups, { groupName: GROUP, maximum: 10 });
    const schedules = async () => (await clients.scheduler.send(new ListSchedulesCommand({ GroupName: 'prewarm_test' }))).Schedules ?? [];

    const url_list = Array.from({ length: 8 }, (_, n) => `https://d111111abcdef8.cloudfront.net/o/1k/${n}`);
    const posted = await ask('/prewarm', { url_list, pops: ['SIN2-P1', 'XXX9-C1'], instance_count: 2 });
    expect(posted).toMatchObject({ statusCode: 200, body: { status: 'Success' } });
    const id = String(posted.body['request_id']);
    expect(await store.get(id)).toMatchObject({ status: 'CREATED', madeBy: 'key-7' });
    expect(await fleet.getCapacity()).toBe(2);
    expect(await schedules()).toHaveLength(1);

    const poisoned = requestRecord(null);
    expect(failuresOf(await fn('get-size').invoke({ Records: [requestRecord(id), poisoned] }))).toEqual([
      poisoned.dynamodb?.SequenceNumber,
    ]);
    expect(await store.get(id)).toMatchObject({ status: 'QUEUEING', sizing: { rows: 8, bytes: 8 * 1024 } });
    expect(failuresOf(await fn('task').invoke({ Records: [requestRecord(id, 'MODIFY')] }))).toEqual([]);
    expect(await store.get(id)).toMatchObject({ status: 'IN_PROGRESS' });

    const recorded = Array.from({ length: 8 }, (_, n) => `XXX9-C1#0#${n}`);
    for (;;) {
      const leased = await tasks.receive(10, 0);
      if (leased.length === 0) break;
      for (const { message, receipt } of leased) {
        await workTask({ lists, store, clock: systemClock }, message);
        recorded.push(message.taskId);
        await tasks.delete(receipt);
      }
    }
    // The stream carries the very rows that the store has written.
    const { Items: rows = [] } = await clients.dynamo.send(new ScanCommand({ TableName: tables.tasks }));
    const told = recorded.map((taskId) => {
      const record = taskRecord(id, taskId);
      const NewImage = rows.find((row) => row['taskId']?.S === taskId) as NonNullable<typeof record.dynamodb>['NewImage'];
      return { ...record, dynamodb: { ...record.dynamodb, NewImage } };
    });
    for (const Records of [told, told]) expect(failuresOf(await fn('aggregate').invoke({ Records }))).toEqual([]);
    expect(await store.get(id)).toMatchObject({ status: 'FINISHED', totalCount: 16, counters: { failed: 8 } });
    expect(await fleet.getCapacity()).toBe(0);
    expect(await schedules()).toEqual([]);

    for (const event of ['a', 'a', 'b']) await fn('report').invoke({ id: event, detail: { requestId: id } });
    const { Messages: messages = [] } = await clients.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: urls.ends, WaitTimeSeconds: 5, MaxNumberOfMessages: 10 }),
    );
    expect(messages).toHaveLength(1);
    expect(messages[0]?.Body).toContain(`Pre-warming ${id} FINISHED: 8 of 16 warm`);
    const summary = await ask(`/summary?req_id=${id}`);
    expect(summary).toMatchObject({ statusCode: 200, body: { failure_pops: ['XXX9-C1'] } });
    const csv = await (await fetch(String(summary.body['failure_pop_urls_report']))).text();
    expect(csv.trim().split('\n')).toHaveLength(1 + 8);
    expect(await ask(`/prewarm?req_id=${id}&detail=pops`)).toMatchObject({ statusCode: 200, body: { percentage_complete: 100 } });
  });

  test('timers, alarms and dead letters reach what they need', async () => {
    await fn('shutdown').invoke({ requestId: '0b9f2f0e-3f63-4f0e-8a30-000000000001' });
    await fn('shutdown').invoke({ kind: 'fleet' });
    await fn('shutdown').invoke({ source: 'aws.cloudwatch' });
    await expect(fn('shutdown').invoke({ kind: 'else' })).rejects.toThrow('neither of a timer nor of an alarm');
    const letter = {
      requestId: '0b9f2f0e-3f63-4f0e-8a30-000000000001',
      taskId: 'SIN2-P1#0#0',
      pop: 'SIN2-P1',
      addresses: [{ ip: '192.0.2.1', port: 443, httpPort: 80 }],
      slice: { list: 'sized', number: 0, part: 0, start: 0, end: 10, rows: 1 },
    };
    const bad = queueRecord('{}');
    expect(failuresOf(await fn('dead-letter').invoke({ Records: [bad, queueRecord(letter)] }))).toEqual([bad.messageId]);
  });

  test('every line of the log names its invocation and shows no key, and the figures name the environment', () => {
    const lines = NAMES.flatMap((name) => fn(name).lines);
    const figures = lines.filter((line) => '_aws' in line);
    const logged = lines.filter((line) => !('_aws' in line));
    expect(logged.length).toBeGreaterThan(5);
    expect(logged.filter((line) => line['function_request_id'] !== 'an-invocation')).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain('never-to-be-logged');
    const dimensions = figures.map(
      (line) => (line['_aws'] as { CloudWatchMetrics: { Dimensions: unknown }[] }).CloudWatchMetrics[0]?.Dimensions,
    );
    expect(new Set(dimensions.map((each) => JSON.stringify(each)))).toEqual(new Set(['[["EnvName"]]', '[["EnvName","Status"]]']));
    const value = (name: string) => figures.find((line) => name in line)?.[name];
    expect(value('RequestsAccepted')).toBe(1);
    expect(value('RequestsEnded')).toBe(1);
    expect(value('RequestsPastTimeout')).toBe(0);
    expect(value('TargetsWarmed')).toBe(8);
    expect(value('TargetsFailed')).toBe(8);
  });
});
