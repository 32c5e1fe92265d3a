import { CreateQueueCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { emulatorUnavailable, startEmulatedAccount } from '../../testing/aws-account/emulated-account.ts';

test.skipIf(emulatorUnavailable() !== null)(
  'an account is empty, is nobody else’s, and is gone after its end',
  async () => {
    const [one, other] = await Promise.all([startEmulatedAccount(), startEmulatedAccount()]);
    const clients = [one, other].map((account) => new SQSClient(account.client));
    try {
      await clients[0]?.send(new CreateQueueCommand({ QueueName: 'of-the-first' }));
      const queues = await Promise.all(clients.map((client) => client.send(new ListQueuesCommand({}))));
      expect(queues.map(({ QueueUrls }) => QueueUrls?.length ?? 0)).toEqual([1, 0]);
    } finally {
      for (const client of clients) client.destroy();
      await Promise.all([one.stop(), other.stop()]);
    }
    await expect(fetch(one.endpoint)).rejects.toThrow('fetch failed');
  },
  300_000,
);
