import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { createEventBus } from '../../../adapters/aws/event-bus.ts';
import { createSqsQueue } from '../../../adapters/aws/sqs-queue.ts';
import { systemClock } from '../../../core/clock.ts';
import { requestRow } from '../../../testing/request-rows.ts';
import { json, openStandIn } from './aws-stand-in.ts';

interface Batch {
  readonly Entries: readonly { readonly Id: string; readonly MessageBody?: string }[];
}

const URL = 'https://sqs.eu-west-1.amazonaws.com/111122223333/prewarm_task_test';
const busy = (id: string) => ({ Id: id, Code: 'InternalError', Message: 'busy', SenderFault: false });
const batchesOf = (received: readonly { readonly body: string }[]) => received.map(({ body }) => JSON.parse(body) as Batch);

async function openQueue(failedOf: (batch: Batch, nth: number) => readonly unknown[]) {
  const standIn = await openStandIn((_request, nth) => {
    const batch = batchesOf(standIn.received).at(-1) ?? { Entries: [] };
    return json(200, { Successful: [], Failed: failedOf(batch, nth) });
  });
  const client = new SQSClient({ ...standIn.config, md5: false, useQueueUrlAsEndpoint: false });
  const queue = createSqsQueue<{ readonly n: number }>(client, { url: URL });
  return { queue, received: standIn.received };
}

const numbersOf = (batch: Batch) => batch.Entries.map(({ MessageBody: body = '' }) => (JSON.parse(body) as { n: number }).n);

test('entries that a successful answer reports as failed are sent again, and only those', async () => {
  const { queue, received } = await openQueue((batch, nth) => (nth < 3 ? batch.Entries.slice(0, 2).map(({ Id: id }) => busy(id)) : []));
  await queue.send([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(batchesOf(received).map(numbersOf)).toEqual([
    [1, 2, 3],
    [1, 2],
    [1, 2],
  ]);
});

test('an entry that is wrong in itself is not sent again: the send fails and says why', async () => {
  const wrong = { Id: '1', Code: 'InvalidMessageContents', Message: 'not allowed', SenderFault: true };
  const { queue, received } = await openQueue(() => [wrong]);
  await expect(queue.send([{ n: 1 }, { n: 2 }])).rejects.toMatchObject({
    name: 'PrewarmError',
    code: 'storage',
    message: expect.stringContaining('InvalidMessageContents: not allowed'),
  });
  expect(received).toHaveLength(1);
});

test('a send whose entries keep failing gives up with the reason', async () => {
  const { queue, received } = await openQueue((batch) => batch.Entries.map(({ Id: id }) => busy(id)));
  await expect(queue.send([{ n: 1 }, { n: 2 }])).rejects.toMatchObject({
    code: 'storage',
    message: expect.stringContaining('2 of 2 entries failed: InternalError: busy'),
  });
  expect(received).toHaveLength(8);
});

test('simultaneous deletes are one call, a failed one is repeated, and an expired receipt is no error', async () => {
  const gone = (id: string) => ({ Id: id, Code: 'ReceiptHandleIsInvalid', Message: 'gone', SenderFault: true });
  const { queue, received } = await openQueue((batch, nth) =>
    nth === 1 ? [gone('0'), ...batch.Entries.slice(3).map(({ Id: id }) => busy(id))] : [],
  );
  await Promise.all(['a', 'b', 'c', 'd'].map((receipt) => queue.delete(receipt)));
  expect(batchesOf(received).map(({ Entries: entries }) => entries.length)).toEqual([4, 1]);
});

test('a lease that SQS says is over is lost; a refusal is an error that names the permission', async () => {
  const failures = [
    ['MessageNotInflight', 'The message is not in flight.'],
    ['InvalidParameterValue', 'Message does not exist or is not available for visibility timeout change.'],
    [
      'AccessDeniedException',
      'User: arn:aws:sts::1:assumed-role/x is not authorized to perform: sqs:changemessagevisibility on resource: y',
    ],
  ] as const;
  const { config } = await openStandIn((_request, nth) => {
    const [code, message] = failures[nth - 1] ?? ['', ''];
    return json(400, { __type: `com.amazonaws.sqs#${code}`, message });
  });
  const client = new SQSClient({ ...config, useQueueUrlAsEndpoint: false });
  const queue = createSqsQueue(client, { url: URL });
  expect(await queue.extend('receipt', 60_000)).toBe(false);
  expect(await queue.extend('receipt', 60_000)).toBe(false);
  await expect(queue.extend('receipt', 60_000)).rejects.toMatchObject({
    code: 'denied',
    message: expect.stringMatching(/^extending a lease: AccessDeniedException: .*; allow sqs:changemessagevisibility/s),
  });
});

test('an event that a successful answer refused is put again until it is taken', async () => {
  const { config, received } = await openStandIn((_request, nth) =>
    nth < 3
      ? json(200, { FailedEntryCount: 1, Entries: [{ ErrorCode: 'ThrottlingException', ErrorMessage: 'later' }] })
      : json(200, { FailedEntryCount: 0, Entries: [{ EventId: '1' }] }),
  );
  const events = createEventBus(new EventBridgeClient(config), { busName: 'prewarm' }, systemClock);
  await events.requestEnded(requestRow('r1', { status: 'FINISHED' }));
  expect(received).toHaveLength(3);
});
