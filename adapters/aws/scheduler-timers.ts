import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  type SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { type Clock, sleep } from '../../core/clock.ts';
import { retry } from '../../core/retry.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { Timers } from '../../core/ports/ports.ts';
import { attempt, awsErrorName } from './aws-error.ts';
import { jitteredPause } from './send-batch.ts';

// A lazy import of this module brings the client along.
export { SchedulerClient } from '@aws-sdk/client-scheduler';

export interface SchedulerTimersOptions {
  /** The schedule group, which exists already. */
  readonly group: string;
  /** The function that gets `{"requestId": "..."}`. */
  readonly targetArn: string;
  /** The role by which Scheduler invokes it. */
  readonly roleArn: string;
}

/** What Scheduler refuses to create is a time that has passed, and the call takes its time. */
const SOONEST_MS = 5_000;
/** The most that Scheduler does: without the timer nothing ends the request. */
const RETRY_POLICY = { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 24 * 60 * 60 };
const TRIES = 8;

/**
 * One-time schedules, one per request and named by its id, which delete themselves. They fire up to a minute late
 * (Scheduler's precision), never early: times are rounded up to the second.
 */
export function createSchedulerTimers(client: SchedulerClient, options: SchedulerTimersOptions, clock: Clock): Timers {
  return {
    async set(requestId, at) {
      const schedule = scheduleOf(options, requestId, Math.max(at, clock.now() + SOONEST_MS));
      await attempt(`setting the timer of ${requestId}`, () => createOrUpdate(client, schedule, clock));
    },
    async cancel(requestId) {
      const command = new DeleteScheduleCommand({ GroupName: options.group, Name: requestId });
      await attempt(`cancelling the timer of ${requestId}`, () => deleteIfThere(client, command, clock));
    },
  };
}

function scheduleOf({ group, targetArn, roleArn }: SchedulerTimersOptions, requestId: string, at: number): CreateScheduleCommandInput {
  const second = new Date(Math.ceil(at / 1000) * 1000).toISOString().slice(0, 19);
  return {
    GroupName: group,
    Name: requestId,
    ScheduleExpression: `at(${second})`,
    ScheduleExpressionTimezone: 'UTC',
    FlexibleTimeWindow: { Mode: 'OFF' },
    ActionAfterCompletion: 'DELETE',
    Target: { Arn: targetArn, RoleArn: roleArn, Input: JSON.stringify({ requestId }), RetryPolicy: RETRY_POLICY },
  };
}

/** One that fires, is set or is cancelled meanwhile turns either call into the other one's case, so both are tried in turn. */
async function createOrUpdate(client: SchedulerClient, schedule: CreateScheduleCommandInput, clock: Clock): Promise<void> {
  for (let tried = 1; tried <= TRIES; tried++) {
    if (await unless(['ConflictException'], () => client.send(new CreateScheduleCommand(schedule)))) return;
    if (await unless(['ConflictException', 'ResourceNotFoundException'], () => client.send(new UpdateScheduleCommand(schedule)))) return;
    await sleep(clock, jitteredPause(tried));
  }
  throw new PrewarmError('storage', `the timer of ${schedule.Name} is being changed by others all the time; try again`);
}

async function deleteIfThere(client: SchedulerClient, command: DeleteScheduleCommand, clock: Clock): Promise<void> {
  const mayPass = (error: unknown) => awsErrorName(error) === 'ConflictException';
  await retry(clock, { tries: TRIES, pauseMs: jitteredPause, mayPass }, () =>
    unless(['ResourceNotFoundException'], () => client.send(command)),
  );
}

/** False: the call was refused with one of these errors. */
async function unless(errors: readonly string[], call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (errors.includes(awsErrorName(error))) return false;
    throw error;
  }
}
