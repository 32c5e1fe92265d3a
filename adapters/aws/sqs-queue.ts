import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import pLimit from 'p-limit';
import { type Clock, systemClock } from '../../core/clock.ts';
import { parseJson } from '../../core/parse-json.ts';
import type { Leased, Queue } from '../../core/ports/queue.ts';
import { attempt, awsErrorName } from './aws-error.ts';
import { type FailedEntry, sendBatch } from './send-batch.ts';

// A lazy import of this module brings the client along.
export { SQSClient } from '@aws-sdk/client-sqs';

/** SQS's own limits. A batch call is billed by each 64 KB begun. */
const BATCH_ENTRIES = 10;
const BATCH_BYTES = 1024 * 1024;
const MAX_DELAY_SECONDS = 900;
const MAX_WAIT_SECONDS = 20;
const MAX_LEASE_SECONDS = 12 * 60 * 60;

const SENDS_AT_ONCE = 8;
/** Messages that are done together are deleted together: a tenth of the calls, for a pause nobody notices. */
const DELETE_GATHER_MS = 5;
/** The lease is in other hands, is over, or the message is gone. `InvalidParameterValue` also stands for 12 hours being used up. */
const LEASE_LOST: ReadonlySet<string> = new Set([
  'InvalidParameterValue',
  'InvalidParameterValueException',
  'MessageNotInflight',
  'ReceiptHandleIsInvalid',
]);

export interface SqsQueueOptions<T> {
  readonly url: string;
  /** How long a received message is held; absent: the queue's own visibility timeout. Whole seconds. */
  readonly leaseMs?: number;
  /** Messages of one key take turns with those of others, as far as SQS's fair queues go (`MessageGroupId`). */
  readonly fairKey?: (message: T) => string;
  /** How long a delete waits for others to share its call; default 5. */
  readonly deleteGatherMs?: number;
}

/**
 * A queue of JSON messages on SQS, whose times are whole seconds: leases and delays are rounded up, delays end at 15
 * minutes, a wait of under a second lasts one (0 does not wait, and may then find nothing where there is something).
 * How often a message may be received is the queue's redrive policy. What is no JSON is left to it.
 */
export function createSqsQueue<T>(client: SQSClient, options: SqsQueueOptions<T>): Queue<T> {
  const { url, leaseMs, fairKey, deleteGatherMs = DELETE_GATHER_MS } = options;
  const remove = createDeletes(client, url, deleteGatherMs);

  return {
    async send(messages, delayMs = 0) {
      const entries = messages.map((message) => entryOf(message, fairKey, delayMs));
      const limit = pLimit(SENDS_AT_ONCE);
      await Promise.all(inBatches(entries).map((batch) => limit(() => sendMessages(client, url, batch))));
    },
    receive: (max, waitMs, signal) => receiveMessages<T>(client, url, { max, waitMs, leaseMs, signal }),
    async extend(receipt, extendMs) {
      const seconds = Math.min(MAX_LEASE_SECONDS, Math.ceil(extendMs / 1000));
      return attempt('extending a lease', () => changeVisibility(client, url, receipt, seconds));
    },
    delete: remove,
    async counts() {
      const command = new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      });
      const { Attributes: told = {} } = await attempt('counting the messages of the queue', () => client.send(command));
      return {
        available: Number(told['ApproximateNumberOfMessages'] ?? 0),
        leased: Number(told['ApproximateNumberOfMessagesNotVisible'] ?? 0),
      };
    },
  };
}

type Entry = SendMessageBatchRequestEntry & { readonly MessageBody: string };

function entryOf<T>(message: T, fairKey: ((message: T) => string) | undefined, delayMs: number): Entry {
  return {
    Id: '',
    MessageBody: JSON.stringify(message),
    ...(delayMs > 0 ? { DelaySeconds: Math.min(MAX_DELAY_SECONDS, Math.ceil(delayMs / 1000)) } : {}),
    ...(fairKey === undefined ? {} : { MessageGroupId: fairKey(message) }),
  };
}

/** In order, as many in a call as SQS takes; ids are places in the batch. */
function inBatches(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const batches: Entry[][] = [];
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const length = Buffer.byteLength(entry.MessageBody);
    if (batch.length === 0 || batch.length === BATCH_ENTRIES || bytes + length > BATCH_BYTES) {
      batch = [];
      bytes = 0;
      batches.push(batch);
    }
    batch.push({ ...entry, Id: String(batch.length) });
    bytes += length;
  }
  return batches;
}

function failuresOf<E extends { readonly Id: string | undefined }>(
  entries: readonly E[],
  failed: readonly BatchResultErrorEntry[] = [],
): readonly FailedEntry<E>[] {
  return failed.flatMap(({ Id: id, Code: code, Message: message, SenderFault: isHopeless = false }) => {
    const entry = entries.find((candidate) => candidate.Id === id);
    return entry === undefined ? [] : [{ entry, reason: `${code}: ${message ?? ''}`, isHopeless }];
  });
}

function sendMessages(client: SQSClient, url: string, batch: readonly Entry[]): Promise<void> {
  const doing = 'sending messages to the queue';
  const send = async (entries: readonly Entry[]) => {
    const { Failed: failed } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: [...entries] }));
    return failuresOf(entries, failed);
  };
  return attempt(doing, () => sendBatch(doing, batch, send, systemClock));
}

interface Receive {
  readonly max: number;
  readonly waitMs: number;
  readonly leaseMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

async function receiveMessages<T>(
  client: SQSClient,
  url: string,
  { max, waitMs, leaseMs, signal }: Receive,
): Promise<readonly Leased<T>[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: Math.min(BATCH_ENTRIES, max),
    WaitTimeSeconds: Math.min(MAX_WAIT_SECONDS, Math.ceil(waitMs / 1000)),
    MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    ...(leaseMs === undefined ? {} : { VisibilityTimeout: Math.ceil(leaseMs / 1000) }),
  });
  if (signal?.aborted === true) return [];
  // A call under way is never broken off: SQS would not see it, and hand its next message to nobody for a whole lease.
  const { Messages: messages = [] } = await attempt('receiving from the queue', () => client.send(command));
  return messages.flatMap((message) => leasedOf<T>(message) ?? []);
}

function leasedOf<T>({ Body: body, ReceiptHandle: receipt, Attributes: told = {} }: Message): Leased<T> | null {
  const message = parseJson(body ?? '') as T | undefined;
  if (message === undefined || receipt === undefined) return null;
  return { message, receiveCount: Number(told.ApproximateReceiveCount ?? 1), receipt };
}

/** False: the lease was lost. */
async function changeVisibility(client: SQSClient, url: string, receipt: string, seconds: number): Promise<boolean> {
  try {
    await client.send(new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: receipt, VisibilityTimeout: seconds }));
    return true;
  } catch (error) {
    if (LEASE_LOST.has(awsErrorName(error))) return false;
    throw error;
  }
}

/** Deletes by receipt. One that is no longer good has nothing to delete. */
function createDeletes(client: SQSClient, url: string, forMs: number): (receipt: string) => Promise<void> {
  const doing = 'deleting from the queue';
  return createGathering(systemClock, { max: BATCH_ENTRIES, forMs }, (receipts) => {
    const entries = receipts.map((receipt: string, place) => ({ Id: String(place), ReceiptHandle: receipt }));
    const send = async (left: readonly (typeof entries)[number][]) => {
      const { Failed: failed = [] } = await client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: [...left] }));
      return failuresOf(
        left,
        failed.filter(({ Code: code }) => !LEASE_LOST.has(code ?? '')),
      );
    };
    return attempt(doing, () => sendBatch(doing, entries, send, systemClock));
  });
}

interface Gathered<T> {
  readonly entries: T[];
  readonly done: Promise<void>;
  readonly go: () => void;
}

/**
 * Turns single calls into batches: what comes within `forMs` of the first, at most `max`, is handed to `send` together.
 * Each call resolves or rejects as the `send` of its batch does.
 */
function createGathering<T>(
  clock: Clock,
  { max, forMs }: { readonly max: number; readonly forMs: number },
  send: (entries: readonly T[]) => Promise<void>,
): (entry: T) => Promise<void> {
  let current: Gathered<T> | null = null;

  function begin(): Gathered<T> {
    const start = Promise.withResolvers<void>();
    const entries: T[] = [];
    const cancel = clock.after(forMs, start.resolve);
    const done = start.promise.then(() => {
      cancel();
      if (current?.entries === entries) current = null;
      return send(entries);
    });
    return { entries, done, go: start.resolve };
  }

  return (entry) => {
    current ??= begin();
    const { entries, done, go } = current;
    entries.push(entry);
    if (entries.length === max) {
      current = null;
      go();
    }
    return done;
  };
}
