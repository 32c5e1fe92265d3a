import { CreateEventBusCommand, EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { createEventBus } from '../../../adapters/aws/event-bus.ts';
import { systemClock } from '../../../core/clock.ts';
import { EVENT_SOURCE, REQUEST_ENDED } from '../../../deployment/names.ts';
import { counters, requestRow, T0 } from '../../../testing/request-rows.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

describeWithAccount('EventBridge', (account) => {
  test('a rule for ended requests gets the outcome of one', async () => {
    const bus = new EventBridgeClient(account().client);
    const queue = new SQSClient(account().client);
    const { QueueUrl: url } = await queue.send(new CreateQueueCommand({ QueueName: 'ended' }));
    const { Attributes: told } = await queue.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
    await bus.send(new CreateEventBusCommand({ Name: 'prewarm' }));
    const pattern = JSON.stringify({ source: [EVENT_SOURCE], 'detail-type': [REQUEST_ENDED], detail: { status: ['STOPPED'] } });
    await bus.send(new PutRuleCommand({ Name: 'stopped', EventBusName: 'prewarm', EventPattern: pattern }));
    await bus.send(new PutTargetsCommand({ Rule: 'stopped', EventBusName: 'prewarm', Targets: [{ Id: '1', Arn: told?.['QueueArn'] }] }));

    const events = createEventBus(bus, { busName: 'prewarm' }, systemClock);
    await events.requestEnded(requestRow('r1', { status: 'FINISHED' }));
    const counted = counters({ warmed: 4, failed: 2 });
    await events.requestEnded(requestRow('r2', { status: 'STOPPED', statusReason: 'asked for', counters: counted, endedAt: T0 + 61_000 }));

    const { Messages: messages = [] } = await queue.send(
      new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 10, MaxNumberOfMessages: 10 }),
    );
    expect(messages.map(({ Body: body = '' }) => JSON.parse(body))).toEqual([
      expect.objectContaining({
        source: 'cloudfront-prewarm',
        'detail-type': 'PrewarmRequestEnded',
        detail: {
          requestId: 'r2',
          status: 'STOPPED',
          statusReason: 'asked for',
          totalCount: 6,
          counters: { warmed: 4, failed: 2 },
          createdAt: '2027-01-15 08:00:00.000000',
          endedAt: '2027-01-15 08:01:01.000000',
        },
      }),
    ]);
    bus.destroy();
    queue.destroy();
  });
});
