import {
  type AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling';
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { CreateEventBusCommand } from '@aws-sdk/client-eventbridge';
import { CreateBucketCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { CreateScheduleGroupCommand } from '@aws-sdk/client-scheduler';
import { CreateTopicCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoTableNames } from '../deployment/tables.ts';
import { createTables } from '../testing/aws-account/dynamo-test-tables.ts';
import { type MetadataStandIn, startMetadataStandIn } from '../testing/aws-account/metadata-stand-in.ts';
import { createAwsClients } from '../testing/aws-account/aws-clients.ts';
import type { EmulatedAccount } from '../testing/aws-account/emulated-account.ts';
import { storedBytes } from './cost-dynamo-bill.ts';
import { MOST_RECEIVES } from '../core/work/task.ts';

/** What a deployed stack has, made by hand in an account, empty. */
export interface CostStage {
  readonly account: EmulatedAccount;
  readonly tables: DynamoTableNames;
  readonly dynamo: DynamoDBClient;
  readonly sqs: SQSClient;
  readonly queues: { readonly tasks: string; readonly dead: string; readonly sizes: string; readonly plans: string };
  /** Of functions and agents that reach the account at `endpoint`; those of the edge are left out. */
  variablesAt(endpoint: string): Readonly<Record<string, string>>;
  /** One instance, which was there before. */
  readonly metadata: MetadataStandIn;
  capacity(): Promise<number>;
  /** Bytes of objects, and of items with what DynamoDB adds to each. */
  stored(): Promise<{ readonly objects: number; readonly items: number }>;
  close(): Promise<void>;
}

const NAME = 'prewarm-cost';
const GROUP = 'prewarm_asg_cost';
const MAX_INSTANCES = 10;

async function createQueues(client: SQSClient): Promise<CostStage['queues']> {
  const create = async (name: string, Attributes: Record<string, string> = {}) =>
    (await client.send(new CreateQueueCommand({ QueueName: `${NAME}-${name}`, Attributes }))).QueueUrl ?? '';
  const dead = await create('dead');
  const { Attributes: told } = await client.send(new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ['QueueArn'] }));
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: told?.QueueArn, maxReceiveCount: MOST_RECEIVES });
  const tasks = await create('tasks', { RedrivePolicy, VisibilityTimeout: '120' });
  return {
    tasks,
    dead,
    sizes: await create('sizes', { VisibilityTimeout: '360' }),
    plans: await create('plans', { VisibilityTimeout: '360' }),
  };
}

/** A group of one instance, whose agents the bench starts and ends itself. Answers the instance's id. */
async function createGroup(client: AutoScalingClient, zone: string): Promise<string> {
  await client.send(new CreateLaunchConfigurationCommand({ LaunchConfigurationName: GROUP, ImageId: 'ami-1', InstanceType: 'm6g.large' }));
  const group = { AutoScalingGroupName: GROUP, LaunchConfigurationName: GROUP, AvailabilityZones: [zone], MinSize: 0 };
  await client.send(new CreateAutoScalingGroupCommand({ ...group, MaxSize: MAX_INSTANCES, DesiredCapacity: 1 }));
  const { AutoScalingGroups } = await client.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [GROUP] }));
  return AutoScalingGroups?.[0]?.Instances?.[0]?.InstanceId ?? '';
}

async function objectBytes(client: S3Client): Promise<number> {
  let bytes = 0;
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: NAME })) {
    for (const { Size = 0 } of Contents) bytes += Size;
  }
  return bytes;
}

async function tableBytes(client: DynamoDBClient, TableName: string): Promise<number> {
  let bytes = 0;
  for await (const { Items = [] } of paginateScan({ client }, { TableName })) bytes += storedBytes(Items);
  return bytes;
}

/** The SDK asks a queue at the host of its URL, whatever its endpoint is. */
function at(endpoint: string, queueUrl: string): string {
  return endpoint + new URL(queueUrl).pathname;
}

export async function openCostStage(account: EmulatedAccount): Promise<CostStage> {
  const clients = createAwsClients(account);
  const { dynamo, s3, sqs, groups } = clients;
  const tables = await createTables(dynamo);
  await s3.send(new CreateBucketCommand({ Bucket: NAME, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }));
  const queues = await createQueues(sqs);
  await clients.scheduler.send(new CreateScheduleGroupCommand({ Name: NAME }));
  await clients.bus.send(new CreateEventBusCommand({ Name: NAME }));
  const { TopicArn = '' } = await clients.sns.send(new CreateTopicCommand({ Name: NAME }));
  const instanceId = await createGroup(groups, `${account.region}a`);
  const credentials = () => Promise.reject(new Error('agents have their keys from the environment'));
  const metadata = await startMetadataStandIn({ instanceId, region: account.region, roleName: 'none', credentials });
  const role = `arn:aws:iam::${account.accountId}:role/prewarm-schedules`;
  const shutdown = `arn:aws:lambda:${account.region}:${account.accountId}:function:prewarm_shutdown_cost`;
  return {
    account,
    tables,
    dynamo,
    sqs,
    queues,
    metadata,
    variablesAt: (endpoint) => ({
      ...account.env,
      AWS_ENDPOINT_URL: endpoint,
      PREWARM_ENV_NAME: 'cost',
      PREWARM_REQUEST_TABLE: tables.requests,
      PREWARM_POP_TABLE: tables.pops,
      PREWARM_TASK_TABLE: tables.tasks,
      PREWARM_BUCKET: NAME,
      PREWARM_TASK_QUEUE_URL: at(endpoint, queues.tasks),
      PREWARM_SIZE_QUEUE_URL: at(endpoint, queues.sizes),
      PREWARM_PLAN_QUEUE_URL: at(endpoint, queues.plans),
      PREWARM_GROUP_NAME: GROUP,
      PREWARM_MAX_INSTANCES: String(MAX_INSTANCES),
      PREWARM_SCHEDULE_GROUP: NAME,
      PREWARM_SHUTDOWN_FUNCTION_ARN: shutdown,
      PREWARM_SCHEDULE_ROLE_ARN: role,
      PREWARM_EVENT_BUS: NAME,
      PREWARM_TOPIC_ARN: TopicArn,
    }),
    async capacity() {
      const { AutoScalingGroups } = await groups.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [GROUP] }));
      return AutoScalingGroups?.[0]?.DesiredCapacity ?? 0;
    },
    async stored() {
      const ofTables = await Promise.all(Object.values(tables).map((table) => tableBytes(dynamo, table)));
      return { objects: await objectBytes(s3), items: ofTables.reduce((sum, bytes) => sum + bytes, 0) };
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy();
      await metadata.close();
    },
  };
}
