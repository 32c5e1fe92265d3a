import { CreateScheduleGroupCommand, GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { expect, test } from 'vitest';
import { createSchedulerTimers } from '../../../adapters/aws/scheduler-timers.ts';
import { systemClock } from '../../../core/clock.ts';
import { describeTimers } from '../contracts/timers.contract.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const TARGET = 'arn:aws:lambda:eu-west-1:111122223333:function:prewarm_shutdown_test';
const ROLE = 'arn:aws:iam::111122223333:role/prewarm-schedules';

describeWithAccount('EventBridge Scheduler', (account) => {
  let made = 0;

  async function create() {
    const client = new SchedulerClient(account().client);
    made += 1;
    const group = `prewarm_${made}`;
    await client.send(new CreateScheduleGroupCommand({ Name: group }));
    const timers = createSchedulerTimers(client, { group, targetArn: TARGET, roleArn: ROLE }, systemClock);
    const scheduleOf = (name: string) => client.send(new GetScheduleCommand({ GroupName: group, Name: name }));
    const names = async () => {
      const { Schedules: schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName: group }));
      return schedules.flatMap(({ Name: name, GroupName: owner }) => (owner === group && name !== undefined ? [name] : []));
    };
    const due = async (now: number) => {
      const fired: string[] = [];
      for (const name of await names()) {
        const at = /^at\((.+)\)$/.exec((await scheduleOf(name)).ScheduleExpression ?? '')?.[1];
        if (at !== undefined && Date.parse(`${at}Z`) <= now) fired.push(name);
      }
      return fired;
    };
    return { timers, due, scheduleOf, names, client, dispose: () => client.destroy() };
  }

  describeTimers('EventBridge Scheduler', create);

  test('a schedule invokes the shutdown function once, for its request, and deletes itself', async () => {
    const { timers, scheduleOf, dispose } = await create();
    await timers.set('0192-ab', Date.parse('2096-10-02T07:06:40.001Z'));
    expect(await scheduleOf('0192-ab')).toMatchObject({
      ScheduleExpression: 'at(2096-10-02T07:06:41)',
      ScheduleExpressionTimezone: 'UTC',
      FlexibleTimeWindow: { Mode: 'OFF' },
      ActionAfterCompletion: 'DELETE',
      Target: {
        Arn: TARGET,
        RoleArn: ROLE,
        Input: '{"requestId":"0192-ab"}',
        RetryPolicy: { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86_400 },
      },
    });
    dispose();
  });

  test('a timer whose time has passed is set a few seconds ahead, since Scheduler refuses the past', async () => {
    const { timers, scheduleOf, dispose } = await create();
    const before = Date.now();
    await timers.set('late', before - 60_000);
    const at = /^at\((.+)\)$/.exec((await scheduleOf('late')).ScheduleExpression ?? '')?.[1];
    expect(Date.parse(`${at}Z`)).toBeGreaterThan(before);
    dispose();
  });

  test('simultaneous settings and cancellations leave a timer set or cancelled, and none of them fails', async () => {
    const { timers, names, dispose } = await create();
    const act = (turn: number) => (turn % 3 === 0 ? timers.cancel('r1') : timers.set('r1', 4_000_000_000_000 + turn));
    await Promise.all(Array.from({ length: 12 }, (_, turn) => act(turn)));
    expect(['r1', '']).toContain((await names()).join());
    dispose();
  });

  test('a group that is not there is an error that names the request', async () => {
    const client = new SchedulerClient(account().client);
    const timers = createSchedulerTimers(client, { group: 'nowhere', targetArn: TARGET, roleArn: ROLE }, systemClock);
    await expect(timers.set('r1', 4_000_000_000_000)).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringMatching(/^setting the timer of r1: ResourceNotFoundException: .*deploy the stack/s),
    });
    client.destroy();
  });
});
