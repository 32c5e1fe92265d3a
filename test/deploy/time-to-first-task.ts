import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../api/served.ts';
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

const DEADLINE_MS = 30_000;
/** Not more often: the emulator has one processor for this and for what is measured. */
const LOOK_EVERY_MS = 20;

/** When each status was reached, as the row itself tells (`updatedAt`), until the last of them. */
async function watchStatuses(client: DynamoDBClient, table: string, id: string, last: string): Promise<ReadonlyMap<string, number>> {
  const reached = new Map<string, number>();
  const deadline = Date.now() + DEADLINE_MS;
  while (!reached.has(last) && Date.now() < deadline) {
    const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: { id: { S: id } }, ConsistentRead: true }));
    const status = Item?.['status']?.S ?? '';
    if (!reached.has(status)) reached.set(status, Number(Item?.['updatedAt']?.N ?? 0));
    await sleep(LOOK_EVERY_MS);
  }
  return reached;
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

/** Makes the request and measures, while no agent takes a task; then cancels it. */
export async function measureTimeToFirstTask(
  world: World,
  system: DeployedSystem,
  body: Readonly<Record<string, unknown>>,
): Promise<TimeToFirstTask> {
  const dynamo = new DynamoDBClient(world.account.client);
  const sqs = new SQSClient(world.account.client);
  const { PREWARM_REQUEST_TABLE: table = '', PREWARM_TASK_QUEUE_URL: queue = '' } = system.image.variables;
  try {
    const start = Date.now();
    const made = makeRequest(system, body);
    const sentAt = firstTaskSentAt(sqs, queue, made);
    const id = await made;
    const answered = Date.now() - start;
    const [reached, firstTask] = await Promise.all([watchStatuses(dynamo, table, id, 'IN_PROGRESS'), sentAt]);
    await ask(system, `/prewarm?req_id=${id}`, { method: 'DELETE' });
    const since = (status: string) => (reached.get(status) ?? Number.NaN) - start;
    return { answered, sizing: since('SIZING'), queueing: since('QUEUEING'), firstTask: firstTask - start };
  } finally {
    dynamo.destroy();
    sqs.destroy();
  }
}
