import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling';
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { createDynamoRequestStore } from '../../adapters/aws/dynamo-request-store.ts';
import { createS3ListStore } from '../../adapters/aws/s3-list-store.ts';
import { createSqsQueue } from '../../adapters/aws/sqs-queue.ts';
import type { EdgeAddress } from '../../core/pops/address.ts';
import { systemClock } from '../../core/clock.ts';
import { createPipeline, type Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { PipelinePorts } from '../../core/ports/ports.ts';
import type { Queue } from '../../core/ports/queue.ts';
import type { RequestRow } from '../../core/request/request.ts';
import type { TaskMessage } from '../../core/work/task.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { createTables } from '../../testing/aws-account/dynamo-test-tables.ts';
import { type MetadataStandIn, startMetadataStandIn } from '../../testing/aws-account/metadata-stand-in.ts';
import type { EmulatedAccount } from '../../testing/aws-account/emulated-account.ts';
import { answer, makeSpec } from '../../testing/pipeline-fixture.ts';
import { type AgentProcess, startAgentProcess } from '../../testing/agent-process.ts';
import { MOST_RECEIVES } from '../../core/work/task.ts';
import { until } from '../../testing/until.ts';

const POPS = ['SIN2-P1', 'FRA56-P4'] as const;

/** Four tasks each: enough for one agent to have finished some and to hold others. */
const AGENTS_CLAIMED = 3;

/** Tables, list bucket, queue and group of their own in the account, the edge, and one instance; all but the pipeline's functions. */
export interface AgentScene {
  readonly ports: PipelinePorts;
  /** The dead letters of `ports.tasks`. */
  readonly letters: Queue<TaskMessage>;
  readonly pipeline: Pipeline;
  readonly edge: SimulatedEdge;
  readonly metadata: MetadataStandIn;
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly bucket: string;
  /** A request for so many objects of 2,000 bytes at both POPs, with its 12 tasks on the queue. */
  request(urls: number): Promise<RequestRow>;
  start(environment?: Readonly<Record<string, string>>): AgentProcess;
  isProtected(): Promise<boolean>;
  /** Counts the recorded tasks until the request has ended, as the function on the table's stream would. */
  finish(id: string): Promise<RequestRow>;
  close(): Promise<void>;
}

async function createQueue(client: SQSClient, name: string): Promise<{ readonly url: string; readonly deadLetterUrl: string }> {
  const { QueueUrl: deadLetterUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead` }));
  const ask = new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] });
  const { Attributes: told } = await client.send(ask);
  const redrive = JSON.stringify({ deadLetterTargetArn: told?.QueueArn, maxReceiveCount: MOST_RECEIVES });
  const create = new CreateQueueCommand({ QueueName: name, Attributes: { RedrivePolicy: redrive, VisibilityTimeout: '120' } });
  const { QueueUrl: url = '' } = await client.send(create);
  return { url, deadLetterUrl };
}

/** Answers the id of its one instance. */
async function createGroup(client: AutoScalingClient, name: string, zone: string): Promise<string> {
  const launch = { LaunchConfigurationName: name, ImageId: 'ami-1', InstanceType: 'm6g.large' };
  await client.send(new CreateLaunchConfigurationCommand(launch));
  const group = { AutoScalingGroupName: name, LaunchConfigurationName: name, AvailabilityZones: [zone], MinSize: 0, MaxSize: 1 };
  await client.send(new CreateAutoScalingGroupCommand({ ...group, DesiredCapacity: 1 }));
  const { AutoScalingGroups: groups } = await client.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }));
  return groups?.[0]?.Instances?.[0]?.InstanceId ?? '';
}

function addressesOf(edge: SimulatedEdge, pop: string): EdgeAddress[] {
  return (edge.edgeMap[pop] ?? []).map((place, index) => {
    const [ip = '', port] = place.split(':');
    return { ip, port: Number(port), httpPort: Number(edge.httpEdgeMap[pop]?.[index]?.split(':')[1]) };
  });
}

function pipelinePorts(edge: SimulatedEdge, stores: Pick<PipelinePorts, 'store' | 'lists' | 'tasks'>): PipelinePorts {
  return {
    ...stores,
    fleet: { maximum: AGENTS_CLAIMED, getCapacity: async () => 0, setCapacity: async () => undefined },
    timers: { set: async () => undefined, cancel: async () => undefined },
    viewerHeaders: null,
    invalidations: null,
    resolver: {
      resolvePop: async (_, pop) => ({ state: 'resolved', addresses: addressesOf(edge, pop) }),
      findDistribution: async () => null,
    },
    downloader: { ask: async () => answer({ contentLength: 2000 }), close: async () => undefined },
    events: { requestEnded: async () => undefined },
    clock: systemClock,
  };
}

export async function openAgentScene(account: EmulatedAccount, bundle: string): Promise<AgentScene> {
  const name = `scene-${randomUUID().slice(0, 8)}`;
  const dir = mkdtempSync(join(tmpdir(), 'prewarm-agent-'));
  const clients = {
    dynamo: new DynamoDBClient(account.client),
    s3: new S3Client(account.client),
    sqs: new SQSClient(account.client),
    group: new AutoScalingClient(account.client),
  };
  const edge = await createSimulatedEdge({ pops: POPS.map((pop) => ({ pop })) });
  const { caFile } = await edge.writeFiles(dir);
  const tables = await createTables(clients.dynamo);
  await clients.s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }));
  const { url, deadLetterUrl } = await createQueue(clients.sqs, name);
  const instanceId = await createGroup(clients.group, name, `${account.region}a`);
  const noRole = () => Promise.reject(new Error('the agent has its keys from the environment'));
  const metadata = await startMetadataStandIn({ instanceId, region: account.region, roleName: 'none', credentials: noRole });
  const ports = pipelinePorts(edge, {
    store: createDynamoRequestStore({ client: clients.dynamo, tables, clock: systemClock }),
    lists: createS3ListStore(clients.s3, { bucket: name }),
    tasks: createSqsQueue<TaskMessage>(clients.sqs, { url, fairKey: ({ requestId }) => requestId }),
  });
  const pipeline = createPipeline(ports);
  const agents: AgentProcess[] = [];
  const environment = {
    ...account.env,
    PATH: process.env['PATH'],
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint,
    PREWARM_REQUEST_TABLE: tables.requests,
    PREWARM_POP_TABLE: tables.pops,
    PREWARM_TASK_TABLE: tables.tasks,
    PREWARM_BUCKET: name,
    PREWARM_TASK_QUEUE_URL: url,
    PREWARM_GROUP_NAME: name,
    PREWARM_THREAD_NUMBER: '6',
    PREWARM_CA_FILE: caFile,
    PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
  };

  async function recordedTasks(id: string) {
    const query = {
      TableName: tables.tasks,
      KeyConditionExpression: 'requestId = :id',
      ExpressionAttributeValues: { ':id': { S: id } },
      ConsistentRead: true,
    };
    const { Items: items = [] } = await clients.dynamo.send(new QueryCommand(query));
    return items.map((item) => ({ requestId: id, taskId: item['taskId']?.S ?? '' }));
  }

  return {
    ports,
    letters: createSqsQueue<TaskMessage>(clients.sqs, { url: deadLetterUrl }),
    pipeline,
    edge,
    metadata,
    sqs: clients.sqs,
    queueUrl: url,
    bucket: name,
    async request(urls) {
      const id = randomUUID();
      const list = Array.from({ length: urls }, (_, n) => `https://${edge.host}/o/2000/${n}`);
      await pipeline.accept({ id, spec: makeSpec(POPS, { agents: AGENTS_CLAIMED }), urls: list });
      while ((await pipeline.advance(id)).next !== 'nothing');
      const row = await ports.store.get(id);
      if (row?.status !== 'IN_PROGRESS') throw new Error(`request ${id} was not planned: ${row?.status}`);
      return row;
    },
    start(further = {}) {
      const agent = startAgentProcess(bundle, { ...environment, ...further });
      agents.push(agent);
      return agent;
    },
    async isProtected() {
      const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] });
      const { AutoScalingGroups: groups } = await clients.group.send(command);
      return groups?.[0]?.Instances?.[0]?.ProtectedFromScaleIn === true;
    },
    async finish(id) {
      let row: RequestRow | null = null;
      await until('the request is finished', async () => {
        await pipeline.aggregate(await recordedTasks(id));
        row = await ports.store.get(id);
        return row?.status === 'FINISHED';
      });
      if (row === null) throw new Error(`there is no request ${id}`);
      return row;
    },
    async close() {
      for (const agent of agents) agent.kill('SIGKILL');
      await Promise.all([...agents.map((agent) => agent.ended()), edge.close(), metadata.close()]);
      for (const client of Object.values(clients)) client.destroy();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
