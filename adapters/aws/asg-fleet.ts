import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeScalingActivitiesCommand,
  type DescribeScalingActivitiesCommandInput,
  SetDesiredCapacityCommand,
  SetInstanceProtectionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import pLimit from 'p-limit';
import { sleep, systemClock } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { Fleet } from '../../core/ports/fleet.ts';
import { attempt, awsErrorName } from './aws-error.ts';
import { jitteredPause } from './batch-retry.ts';

export interface AsgFleetOptions {
  readonly groupName: string;
  /** At most the group's own maximum. */
  readonly maximum: number;
}

interface FleetInstance {
  readonly id: string;
  /** Milliseconds since the epoch; null: the group's history, which is kept for six weeks, does not tell. */
  readonly launchedAt: number | null;
  /** Protected from scale-in: it is busy, or says so. */
  readonly isProtected: boolean;
}

/** The agents as instances of an Auto Scaling group, whose desired capacity is the fleet's. */
export interface AsgFleet extends Fleet {
  /** Instances that are up or coming up; not those on their way out. */
  listInstances(): Promise<readonly FleetInstance[]>;
  /**
   * Ends an instance for good, protected or not: nothing takes its place. One that has gone already is no error.
   * Desired capacity falls with it, unless it was one too many anyway.
   */
  terminate(instanceId: string): Promise<void>;
  /** Before the group is deleted, for which none of its instances may be protected: takes all protection back, and asks for none. */
  release(): Promise<void>;
}

const BUSY: ReadonlySet<string> = new Set([
  'ScalingActivityInProgress',
  'ScalingActivityInProgressFault',
  'ResourceContention',
  'ResourceContentionFault',
]);
const TRIES = 6;
const FIRST_PAUSE_MS = 200;
const CALLS_AT_ONCE = 8;

export function createAsgFleet(client: AutoScalingClient, { groupName, maximum }: AsgFleetOptions): AsgFleet {
  const find = () => attempt(`reading the group ${groupName}`, () => findGroup(client, groupName));
  const describe = async () => (await find()) ?? missing(groupName);
  const setCapacity = async (agents: number) => {
    const wanted = Math.max(0, Math.min(maximum, agents));
    const command = new SetDesiredCapacityCommand({ AutoScalingGroupName: groupName, DesiredCapacity: wanted, HonorCooldown: false });
    await attempt(`setting the capacity of ${groupName} to ${wanted}`, () => whenNotBusy(() => client.send(command)));
  };
  return {
    maximum,
    getCapacity: async () => (await describe()).DesiredCapacity ?? 0,
    setCapacity,
    async listInstances() {
      const instances = instancesOf(await describe());
      const launches =
        instances.length === 0
          ? new Map<string, number>()
          : await attempt(`reading the launches of ${groupName}`, () =>
              readLaunches(client, groupName, new Set(instances.map(({ id }) => id))),
            );
      return instances.map(({ id, isProtected }) => ({ id, isProtected, launchedAt: launches.get(id) ?? null }));
    },
    async terminate(instanceId) {
      const group = await describe();
      const instances = instancesOf(group);
      const instance = instances.find(({ id }) => id === instanceId);
      if (instance?.isProtected) await setScaleInProtection(client, { groupName, instanceId }, false);
      // The group never falls below its minimum, and what is above desired capacity is not replaced.
      const isSurplus = instances.length > (group.DesiredCapacity ?? 0);
      await attempt(`terminating ${instanceId}`, () => whenNotBusy(() => terminateInstance(client, instanceId, !isSurplus)));
    },
    async release() {
      const group = await find();
      if (group === null) return;
      const limit = pLimit(CALLS_AT_ONCE);
      const held = instancesOf(group).filter(({ isProtected }) => isProtected);
      await Promise.all(held.map(({ id }) => limit(() => setScaleInProtection(client, { groupName, instanceId: id }, false))));
      await setCapacity(0);
    },
  };
}

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

async function findGroup(client: AutoScalingClient, groupName: string): Promise<AutoScalingGroup | null> {
  const { AutoScalingGroups: groups = [] } = await client.send(
    new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [groupName] }),
  );
  return groups[0] ?? null;
}

function missing(groupName: string): never {
  throw new PrewarmError(
    'storage',
    `there is no Auto Scaling group ${groupName} in this account and region; check the configuration, or deploy the stack`,
  );
}

function instancesOf(group: AutoScalingGroup): readonly { readonly id: string; readonly isProtected: boolean }[] {
  return (group.Instances ?? []).flatMap(({ InstanceId: id, LifecycleState: state = '', ProtectedFromScaleIn: isProtected = false }) =>
    id === undefined || /^(Terminat|Detach|Warmed)/.test(state) ? [] : [{ id, isProtected }],
  );
}

/** Instances have no launch time here, but each launch is an activity that names its instance; the newest come first. */
async function readLaunches(
  client: AutoScalingClient,
  groupName: string,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, number>> {
  const launches = new Map<string, number>();
  let token: string | undefined;
  do {
    const input: DescribeScalingActivitiesCommandInput = {
      AutoScalingGroupName: groupName,
      ...(token === undefined ? {} : { NextToken: token }),
    };
    const { Activities: activities = [], NextToken: next } = await client.send(new DescribeScalingActivitiesCommand(input));
    for (const { Description: description = '', StartTime: startedAt } of activities) {
      const id = /^Launching a new EC2 instance: (i-\w+)/.exec(description)?.[1];
      if (id !== undefined && startedAt !== undefined && wanted.has(id)) launches.set(id, startedAt.getTime());
    }
    token = next;
  } while (token !== undefined && launches.size < wanted.size);
  return launches;
}

async function terminateInstance(client: AutoScalingClient, instanceId: string, decrement: boolean): Promise<void> {
  const command = new TerminateInstanceInAutoScalingGroupCommand({ InstanceId: instanceId, ShouldDecrementDesiredCapacity: decrement });
  try {
    await client.send(command);
  } catch (error) {
    if (isRefusal(error, /not found/i)) return;
    // Somebody lowered desired capacity in between: now this one is one too many.
    if (decrement && isRefusal(error, /minSize|min size/)) return terminateInstance(client, instanceId, false);
    throw error;
  }
}

function isRefusal(error: unknown, message: RegExp): boolean {
  return awsErrorName(error).startsWith('ValidationE') && error instanceof Error && message.test(error.message);
}

async function whenNotBusy<T>(call: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      if (!BUSY.has(awsErrorName(error)) || tried === TRIES) throw error;
    }
    await sleep(systemClock, jitteredPause(tried, FIRST_PAUSE_MS));
  }
}
