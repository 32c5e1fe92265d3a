import {
  type Activity,
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeScalingActivitiesCommand,
  SetDesiredCapacityCommand,
  SetInstanceProtectionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { systemClock } from '../../core/clock.ts';
import { retry, type RetryPlan } from '../../core/retry.ts';
import type { FailedActivity, FleetMember } from '../../core/ports/fleet.ts';
import { attempt, awsErrorName } from './aws-error.ts';
import { jitteredPause } from './send-batch.ts';

export interface FleetInstance {
  readonly id: string;
  /** Protected from scale-in: it is busy, or says so. */
  readonly isProtected: boolean;
}

/** A group as it is asked for, and what it has. */
export interface GroupState {
  readonly desired: number;
  /** Instances that are up or coming up; not those on their way out. */
  readonly instances: readonly FleetInstance[];
  /** Those on their way out included. Auto Scaling does not tell since when each is there. */
  readonly members: readonly Omit<FleetMember, 'since'>[];
}

/** What a group did lately. */
export interface GroupActivities {
  /** The last of them that failed; null: none did. */
  readonly lastFailed: FailedActivity | null;
  /** When each instance was launched, as far as that is among the latest activities. */
  readonly launchedAt: ReadonlyMap<string, number>;
}

const BUSY: ReadonlySet<string> = new Set([
  'ScalingActivityInProgress',
  'ScalingActivityInProgressFault',
  'ResourceContention',
  'ResourceContentionFault',
]);
const TRIES = 6;
const FIRST_PAUSE_MS = 200;
/** A group that cannot launch tries again and again, so that failures are never far back. */
const LATEST_ACTIVITIES = 100;
const MESSAGE_CHARACTERS = 300;

/**
 * Protects an instance from scale-in or takes that back. False: the group takes no protection for it now, because it is
 * not in service yet, or on its way out.
 */
export async function setScaleInProtection(
  client: AutoScalingClient,
  { groupName, instanceId }: { readonly groupName: string; readonly instanceId: string },
  isProtected: boolean,
): Promise<boolean> {
  const command = new SetInstanceProtectionCommand({
    AutoScalingGroupName: groupName,
    InstanceIds: [instanceId],
    ProtectedFromScaleIn: isProtected,
  });
  return attempt(`setting the scale-in protection of ${instanceId}`, async () => {
    try {
      await whenNotBusy(() => client.send(command));
      return true;
    } catch (error) {
      if (isRefusal(error, /is not in InService|is not part of/)) return false;
      throw error;
    }
  });
}

/** The groups of these names, those that are not there left out. */
export async function describeGroups(client: AutoScalingClient, names: readonly string[]): Promise<ReadonlyMap<string, GroupState>> {
  const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [...names] });
  const { AutoScalingGroups: groups = [] } = await attempt(`reading the group ${names.join(' and ')}`, () => client.send(command));
  return new Map(groups.map((group) => [group.AutoScalingGroupName ?? '', stateOf(group)]));
}

function stateOf({ DesiredCapacity: desired = 0, Instances: instances = [] }: AutoScalingGroup): GroupState {
  return {
    desired,
    members: instances.flatMap(
      ({ InstanceId: id, InstanceType: type = null, AvailabilityZone: zone = null, LifecycleState: state = '' }) =>
        id === undefined || state.startsWith('Warmed') ? [] : [{ id, instanceId: id, type, zone, state: memberStateOf(state) }],
    ),
    instances: instances.flatMap(({ InstanceId: id, LifecycleState: state = '', ProtectedFromScaleIn: isProtected = false }) =>
      id === undefined || /^(Terminat|Detach|Warmed)/.test(state) ? [] : [{ id, isProtected }],
    ),
  };
}

function memberStateOf(lifecycleState: string): FleetMember['state'] {
  if (/^(Terminat|Detach)/.test(lifecycleState)) return 'leaving';
  return lifecycleState.startsWith('Pending') ? 'pending' : 'running';
}

export async function setDesiredCapacity(client: AutoScalingClient, groupName: string, capacity: number): Promise<void> {
  const command = new SetDesiredCapacityCommand({ AutoScalingGroupName: groupName, DesiredCapacity: capacity, HonorCooldown: false });
  await attempt(`setting the capacity of ${groupName} to ${capacity}`, () => whenNotBusy(() => client.send(command)));
}

export async function readActivities(client: AutoScalingClient, groupName: string): Promise<GroupActivities> {
  const command = new DescribeScalingActivitiesCommand({ AutoScalingGroupName: groupName, MaxRecords: LATEST_ACTIVITIES });
  const { Activities: activities = [] } = await attempt(`reading the activities of ${groupName}`, () => client.send(command));
  // The newest come first.
  const failed = activities.find(({ StatusCode: status }) => status === 'Failed' || status === 'Cancelled');
  return { lastFailed: failed === undefined ? null : failureOf(failed), launchedAt: new Map(activities.flatMap(launchOf)) };
}

function failureOf({ StartTime: at, StatusMessage: message, Description: description }: Activity): FailedActivity {
  return { at: at?.getTime() ?? 0, message: (message ?? description ?? '').slice(0, MESSAGE_CHARACTERS) };
}

function launchOf({ Description: description = '', StartTime: at }: Activity): [string, number][] {
  const [, id] = /^Launching a new EC2 instance: (i-[\da-z]+)/.exec(description) ?? [];
  return id === undefined || at === undefined ? [] : [[id, at.getTime()]];
}

/** Ends the instance, and lowers desired capacity with it where `decrement` says so. One that is gone already is no error. */
export async function terminateInstance(client: AutoScalingClient, instanceId: string, decrement: boolean): Promise<void> {
  await attempt(`terminating ${instanceId}`, () => whenNotBusy(() => terminate(client, instanceId, decrement)));
}

async function terminate(client: AutoScalingClient, instanceId: string, decrement: boolean): Promise<void> {
  const command = new TerminateInstanceInAutoScalingGroupCommand({ InstanceId: instanceId, ShouldDecrementDesiredCapacity: decrement });
  try {
    await client.send(command);
  } catch (error) {
    if (isRefusal(error, /not found/i)) return;
    // Somebody lowered desired capacity in between: now this one is one too many.
    if (decrement && isRefusal(error, /minSize|min size/)) return terminate(client, instanceId, false);
    throw error;
  }
}

function isRefusal(error: unknown, message: RegExp): boolean {
  return awsErrorName(error).startsWith('ValidationE') && error instanceof Error && message.test(error.message);
}

const WHEN_NOT_BUSY: RetryPlan = {
  tries: TRIES,
  pauseMs: (tried) => jitteredPause(tried, FIRST_PAUSE_MS),
  mayPass: (error) => BUSY.has(awsErrorName(error)),
};

function whenNotBusy<T>(call: () => Promise<T>): Promise<T> {
  return retry(systemClock, WHEN_NOT_BUSY, call);
}
