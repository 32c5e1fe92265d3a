import { Stack } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { AGENTS_PARTITION_PREFIX } from '../../deployment/tables.ts';
import { RESULT_KEYS } from './list-bucket.ts';
import type { Notifications } from './alarms.ts';
import type { Schedules } from './triggers.ts';
import type { Tables } from './tables.ts';
import type { TaskQueues } from './task-queues.ts';

/** What functions and agents work on. */
export interface SystemResources {
  readonly envName: string;
  /** Of the Auto Scaling group of Spot instances. */
  readonly groupName: string;
  /** Of the group that takes what Spot does not deliver. */
  readonly onDemandGroupName: string;
  readonly tables: Tables;
  readonly bucket: Bucket;
  readonly queues: TaskQueues;
  readonly notifications: Notifications;
  readonly schedules: Schedules;
}

type TableAction = 'GetItem' | 'BatchGetItem' | 'Query' | 'PutItem' | 'UpdateItem' | 'DeleteItem';

export const READ: readonly TableAction[] = ['GetItem', 'BatchGetItem', 'Query'];

function allow(actions: readonly string[], ...resources: string[]): PolicyStatement {
  return new PolicyStatement({ actions: [...actions], resources });
}

/** Of a table and, where it is queried, of its index. */
export function onTable(table: Table, ...actions: TableAction[]): PolicyStatement {
  return allow(
    actions.map((action) => `dynamodb:${action}`),
    table.tableArn,
  );
}

/** As `randomUUID` makes ids of requests. */
const REQUEST_ID = '????????-????-????-????-????????????';

/**
 * Of the rows in which agents tell what they have finished. All other rows of the table have partition keys that do not fit the pattern:
 * plans and counters of requests, the operator's claim, active requests and idempotency keys.
 */
export function onAgentRows(table: Table, ...actions: TableAction[]): PolicyStatement {
  const statement = onTable(table, ...actions);
  statement.addCondition('ForAllValues:StringLike', { 'dynamodb:LeadingKeys': [`${AGENTS_PARTITION_PREFIX}${REQUEST_ID}`] });
  // A call that names no key would pass a condition on all of its keys.
  statement.addCondition('Null', { 'dynamodb:LeadingKeys': 'false' });
  return statement;
}

/** Of an index, which holds keys only. */
export function onIndex(table: Table, indexName: string): PolicyStatement {
  return allow(['dynamodb:Query'], `${table.tableArn}/index/${indexName}`);
}

/** For an event source mapping. Lambda asks for the list of streams of the table, whatever their labels. */
export function onStream(table: Table): readonly PolicyStatement[] {
  if (table.tableStreamArn === undefined) throw new Error(`${table.node.path} has no stream`);
  return [
    allow(['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'], table.tableStreamArn),
    allow(['dynamodb:ListStreams'], `${table.tableArn}/stream/*`),
  ];
}

export function readObjects(bucket: Bucket, ...folders: string[]): PolicyStatement {
  return allow(['s3:GetObject'], ...folders.map((folder) => bucket.arnForObjects(`${folder}/*`)));
}

/** Without `ListBucket` an object that is not there would be answered with 403, as if it were out of reach. */
export function readLists(bucket: Bucket, ...folders: string[]): readonly PolicyStatement[] {
  return [readObjects(bucket, ...folders), allow(['s3:ListBucket'], bucket.bucketArn)];
}

export function deleteObjects(bucket: Bucket, folder: string): PolicyStatement {
  return allow(['s3:DeleteObject'], bucket.arnForObjects(`${folder}/*`));
}

export function writeLists(bucket: Bucket, ...folders: string[]): PolicyStatement {
  return allow(['s3:PutObject', 's3:AbortMultipartUpload'], ...folders.map((folder) => bucket.arnForObjects(`${folder}/*`)));
}

/** Results of tasks, and no lists. The bucket's policy refuses to replace one. */
export function writeResults(bucket: Bucket): PolicyStatement {
  return allow(['s3:PutObject'], bucket.arnForObjects(RESULT_KEYS));
}

export function onQueue(
  queue: Queue,
  ...actions: ('SendMessage' | 'ReceiveMessage' | 'DeleteMessage' | 'ChangeMessageVisibility' | 'GetQueueAttributes')[]
): PolicyStatement {
  return allow(
    actions.map((action) => `sqs:${action}`),
    queue.queueArn,
  );
}

/** Of the two groups alone, whose ARNs have a part that AWS makes up: `*` stands for that part. */
export function onGroups(
  scope: Construct,
  { groupName, onDemandGroupName }: Pick<SystemResources, 'groupName' | 'onDemandGroupName'>,
  ...actions: string[]
): PolicyStatement {
  const arns = [groupName, onDemandGroupName].map((resourceName) =>
    Stack.of(scope).formatArn({ service: 'autoscaling', resource: 'autoScalingGroup:*:autoScalingGroupName', resourceName }),
  );
  return allow(
    actions.map((action) => `autoscaling:${action}`),
    ...arns,
  );
}

/** Auto Scaling offers no resource for what it describes. */
function describeGroups(): PolicyStatement {
  return allow(['autoscaling:DescribeAutoScalingGroups'], '*');
}

/** Tells why instances do not come. There is no resource for it either. */
export function describeActivities(): PolicyStatement {
  return allow(['autoscaling:DescribeScalingActivities'], '*');
}

/** CloudFront offers no resource for listing; which distributions there will be to invalidate, no template knows. */
export function findDistributions(): PolicyStatement {
  return allow(['cloudfront:ListDistributions'], '*');
}

export function invalidate(scope: Construct): PolicyStatement {
  const distributions = Stack.of(scope).formatArn({ service: 'cloudfront', region: '', resource: 'distribution', resourceName: '*' });
  return allow(['cloudfront:CreateInvalidation', 'cloudfront:GetInvalidation'], distributions);
}

export function setTimers({ schedules }: SystemResources): readonly PolicyStatement[] {
  const pass = allow(['iam:PassRole'], schedules.role.roleArn);
  pass.addCondition('StringEquals', { 'iam:PassedToService': 'scheduler.amazonaws.com' });
  return [allow(['scheduler:CreateSchedule', 'scheduler:UpdateSchedule'], schedules.scheduleArn), pass];
}

/** What everybody needs who may end a request: the transition, its timer, the fleet's capacity, and the event. */
export function endRequests(
  scope: Construct,
  { tables, schedules, notifications, ...groups }: SystemResources,
): readonly PolicyStatement[] {
  return [
    onTable(tables.requests, ...READ, 'UpdateItem'),
    onTable(tables.pops, ...READ, 'DeleteItem'),
    allow(['scheduler:DeleteSchedule'], schedules.scheduleArn),
    onGroups(scope, groups, 'SetDesiredCapacity'),
    describeGroups(),
    allow(['events:PutEvents'], notifications.bus.eventBusArn),
  ];
}

export function publish(topicArn: string): PolicyStatement {
  return allow(['sns:Publish'], topicArn);
}
