import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, expect, test } from 'vitest';
import { createSqsQueue } from '../../../adapters/aws/sqs-queue.ts';
import type { DeadLetters } from '../../../core/ports/queue.ts';
import { describeQueue, type Note } from '../contracts/queue.contract.ts';
import { makeTemporaryDir } from '../../../testing/temporary-dir.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';
import { MOST_RECEIVES } from '../../../core/work/task.ts';

const dir = makeTemporaryDir();
const timeFile = join(dir.path, 'passed-seconds');
writeFileSync(timeFile, '0');
afterAll(dir.remove);

describeWithAccount(
  'SQS',
  (account) => {
    let made = 0;
    let passedMs = 0;

    async function createQueues(client: SQSClient): Promise<{ readonly url: string; readonly deadLetterUrl: string }> {
      made += 1;
      const { QueueUrl: deadLetterUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: `notes-dead-${made}` }));
      const ask = new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] });
      const { Attributes: told } = await client.send(ask);
      const redrive = JSON.stringify({ deadLetterTargetArn: told?.QueueArn, maxReceiveCount: MOST_RECEIVES });
      const create = new CreateQueueCommand({ QueueName: `notes-${made}`, Attributes: { RedrivePolicy: redrive } });
      const { QueueUrl: url = '' } = await client.send(create);
      return { url, deadLetterUrl };
    }

    async function create() {
      const client = new SQSClient(account().client);
      const { url, deadLetterUrl } = await createQueues(client);
      const queue = createSqsQueue<Note>(client, { url, leaseMs: 60_000, fairKey: ({ requestId }) => requestId });
      const letters = createSqsQueue<Note>(client, { url: deadLetterUrl, leaseMs: 60_000 });
      const dead: DeadLetters<Note> = { receiveDead: (max) => letters.receive(max, 0), deleteDead: (receipt) => letters.delete(receipt) };
      const pass = async (ms: number) => {
        passedMs += ms;
        writeFileSync(timeFile, String(passedMs / 1000));
      };
      return { queue, dead, pass, dispose: () => client.destroy(), client, url };
    }

    describeQueue('SQS', create, { takesTurns: false });

    test('the queue sends more than one call takes, by number and by bytes', async () => {
      const { queue, dispose } = await create();
      const long = Array.from({ length: 5 }, (_, number) => ({ requestId: 'x'.repeat(100), number, text: 'ü'.repeat(200_000) }));
      await queue.send([...long, ...Array.from({ length: 95 }, (_, number) => ({ requestId: 'r', number }))]);
      expect(await queue.counts()).toEqual({ available: 100, leased: 0 });
      dispose();
    });

    test('a wait that is given up takes no message with it', async () => {
      const { queue, dispose } = await create();
      const leaving = new AbortController();
      const received = queue.receive(10, 5000, leaving.signal);
      // The call is under way before the message is there.
      await sleep(300);
      leaving.abort();
      await queue.send([{ requestId: 'r', number: 1 }]);
      const leases = [...(await received), ...(await queue.receive(10, 1000))];
      expect(leases.map(({ message }) => message)).toEqual([{ requestId: 'r', number: 1 }]);
      expect(await queue.receive(10, 20_000, leaving.signal)).toEqual([]);
      dispose();
    });

    test('a message that is not JSON does not keep the rest from being received', async () => {
      const { queue, client, url, dispose } = await create();
      await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: '{"requestId":' }));
      await queue.send([{ requestId: 'a', number: 1 }]);
      const received = await queue.receive(10, 0);
      expect(received.map(({ message }) => message)).toEqual([{ requestId: 'a', number: 1 }]);
      dispose();
    });

    test('a missing queue is an error that names the action and where to look', async () => {
      const client = new SQSClient(account().client);
      const queue = createSqsQueue<Note>(client, { url: `${account().endpoint}/${account().accountId}/nowhere` });
      await expect(queue.send([{ requestId: 'a', number: 1 }])).rejects.toMatchObject({
        name: 'PrewarmError',
        code: 'storage',
        message: expect.stringMatching(/^sending messages to the queue: .*deploy the stack/s),
      });
      await expect(queue.receive(1, 0)).rejects.toMatchObject({ name: 'PrewarmError' });
      client.destroy();
    });
  },
  { environment: { EMULATED_SQS_TIME: timeFile } },
);
