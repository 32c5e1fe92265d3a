import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { ask } from '../../server/served.ts';
import { callAccount } from '../../../testing/aws-account/emulated-account.ts';
import type { DeployedSystem } from './deployed-system.ts';
import { makeRequest } from './requests.ts';
import type { World } from './world.ts';

/** Milliseconds from sending the POST. */
export interface TimeToFirstTask {
  readonly answered: number;
  /** The row's status was seen to be that. */
  readonly sizing: number;
  readonly queueing: number;
  /** As SQS stamped it. */
  readonly firstTask: number;
}

const DEADLINE_MS = 60_000;

/** When a request reached each status. */
type StatusTimes = ReadonlyMap<string, number>;

interface StreamRecords {
  readonly Records: readonly {
    readonly dynamodb: { readonly NewImage?: Readonly<Record<string, { readonly S?: string; readonly N?: string }>> };
  }[];
  readonly NextShardIterator?: string;
}

/** By request id, as the rows themselves told (`updatedAt`): read from the table's stream, which misses none, when all is over. */
async function readStatusTimes({ account }: World, TableName: string): Promise<ReadonlyMap<string, StatusTimes>> {
  const ask = <T>(operation: string, parameters: Record<string, unknown>) =>
    callAccount<T>(account, 'dynamodbstreams', operation, parameters);
  const { Streams } = await ask<{ Streams: { StreamArn: string }[] }>('list_streams', { TableName });
  const StreamArn = Streams[0]?.StreamArn;
  const { StreamDescription } = await ask<{ StreamDescription: { Shards: { ShardId: string }[] } }>('describe_stream', { StreamArn });
  const from = { StreamArn, ShardId: StreamDescription.Shards[0]?.ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  let next: string | undefined = (await ask<{ ShardIterator: string }>('get_shard_iterator', from)).ShardIterator;
  const times = new Map<string, Map<string, number>>();
  while (next !== undefined) {
    const { Records, NextShardIterator }: StreamRecords = await ask<StreamRecords>('get_records', { ShardIterator: next });
    for (const { id, status, updatedAt } of Records.map(({ dynamodb }) => dynamodb.NewImage ?? {})) {
      const reached = times.get(id?.S ?? '') ?? new Map<string, number>();
      times.set(id?.S ?? '', reached);
      if (!reached.has(status?.S ?? '')) reached.set(status?.S ?? '', Number(updatedAt?.N));
    }
    next = Records.length === 0 ? undefined : NextShardIterator;
  }
  return times;
}

/** The time stamp of the request's first task. Takes what is left of earlier requests out of the way; its own tasks stay leased. */
async function firstTaskSentAt(client: SQSClient, QueueUrl: string, id: Promise<string>): Promise<number> {
  const deadline = Date.now() + DEADLINE_MS;
  const sent: { readonly requestId: string; readonly at: number }[] = [];
  const own = (wanted: string) => sent.filter(({ requestId }) => requestId === wanted);
  do {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ['SentTimestamp'],
      }),
    );
    for (const { Body = '{}', Attributes } of Messages) {
      const { requestId = '' } = JSON.parse(Body) as { requestId?: string };
      sent.push({ requestId, at: Number(Attributes?.SentTimestamp) });
    }
  } while (own(await id).length === 0 && Date.now() < deadline);
  return Math.min(...own(await id).map(({ at }) => at));
}

/** Makes the requests one after the other and measures, while no agent takes a task; cancels each. */
export async function measureTimesToFirstTask(
  world: World,
  system: DeployedSystem,
  bodies: readonly Readonly<Record<string, unknown>>[],
): Promise<readonly TimeToFirstTask[]> {
  const sqs = new SQSClient(world.account.client);
  const { PREWARM_REQUEST_TABLE: table = '', PREWARM_TASK_QUEUE_URL: queue = '' } = system.image.variables;
  const made: { readonly id: string; readonly start: number; readonly answered: number; readonly firstTask: number }[] = [];
  try {
    for (const body of bodies) {
      const start = Date.now();
      const making = makeRequest(system, body);
      const sentAt = firstTaskSentAt(sqs, queue, making);
      const id = await making;
      const answered = Date.now() - start;
      made.push({ id, start, answered, firstTask: (await sentAt) - start });
      await ask(system, `/prewarm?req_id=${id}`, { method: 'DELETE' });
    }
  } finally {
    sqs.destroy();
  }
  const times = await readStatusTimes(world, table);
  return made.map(({ id, start, answered, firstTask }) => {
    const since = (status: string) => (times.get(id)?.get(status) ?? Number.NaN) - start;
    return { answered, sizing: since('SIZING'), queueing: since('QUEUEING'), firstTask };
  });
}
