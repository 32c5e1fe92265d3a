import type { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import pLimit from 'p-limit';
import { PrewarmError } from '../../core/errors.ts';
import type { Fleet, FleetInspection, FleetState } from '../../core/ports/fleet.ts';
import {
  describeGroups,
  type FleetInstance,
  type GroupState,
  readActivities,
  setDesiredCapacity,
  setScaleInProtection,
  terminateInstance,
} from './asg-group.ts';

// A lazy import of this module brings the client along.
export { AutoScalingClient } from '@aws-sdk/client-auto-scaling';

export interface AsgFleetOptions {
  /** Of the group of Spot instances. */
  readonly groupName: string;
  /** At most each group's own maximum. */
  readonly maximum: number;
  /** The group that takes what Spot does not deliver; absent: nothing does. */
  readonly onDemand?: OnDemandOptions;
}

interface OnDemandOptions {
  readonly groupName: string;
  /** What Spot has not delivered after so many minutes is asked for on demand; 0: never. */
  readonly afterMinutes: number;
}

/** The agents as instances of two Auto Scaling groups, whose desired capacities together are the fleet's. */
export interface AsgFleet extends Fleet {
  /** Minutes after which `fallBack` has to look at what is claimed; 0: never. */
  readonly fallbackMinutes: number;
  describe(): Promise<FleetState>;
  /** Instances of both groups that are up or coming up; not those on their way out. */
  listInstances(): Promise<readonly FleetInstance[]>;
  /**
   * Asks on demand for what Spot has not delivered of `overdue` agents, which have been claimed for longer than `fallbackMinutes`, and
   * asks Spot for so many fewer: the capacity of both together stays. Returns how many.
   */
  fallBack(overdue: number): Promise<number>;
  /**
   * Ends an instance for good, protected or not: nothing takes its place. One that has gone already is no error.
   * Desired capacity falls with it, unless it was one too many anyway.
   */
  terminate(instanceId: string): Promise<void>;
  /** Before the groups are deleted, for which none of their instances may be protected: takes all protection back, and asks for none. */
  release(): Promise<void>;
}

const CALLS_AT_ONCE = 8;
const NOTHING: GroupState = { desired: 0, instances: [], members: [] };

/** The groups as they were at one moment. The second is empty where there is none. */
interface Groups {
  readonly spot: GroupState;
  readonly onDemand: GroupState;
}

export function createAsgFleet(client: AutoScalingClient, options: AsgFleetOptions): AsgFleet {
  const { groupName, maximum, onDemand } = options;
  const names = onDemand === undefined ? [groupName] : [groupName, onDemand.groupName];
  const read = () => readGroups(client, options);
  const inspect = () => inspectGroups(client, options);
  return {
    maximum,
    fallbackMinutes: onDemand?.afterMinutes ?? 0,
    getCapacity: async () => capacityOf(await read()),
    setCapacity: (agents) => setCapacity(client, options, Math.max(0, Math.min(maximum, agents))),
    async describe() {
      const { capacity, onDemand: asked, lastFailedActivity } = await inspect();
      return { capacity, onDemand: asked, fallbackMinutes: onDemand?.afterMinutes ?? 0, lastFailedActivity };
    },
    inspect,
    async listInstances() {
      const groups = await read();
      return [...groups.spot.instances, ...groups.onDemand.instances];
    },
    fallBack: (overdue) => fallBack(client, options, overdue),
    async terminate(instanceId) {
      const groups = await describeGroups(client, names);
      for (const [name, { desired, instances }] of groups) {
        const instance = instances.find(({ id }) => id === instanceId);
        if (instance === undefined) continue;
        if (instance.isProtected) await setScaleInProtection(client, { groupName: name, instanceId }, false);
        // The group never falls below its minimum, and what is above desired capacity is not replaced.
        await terminateInstance(client, instanceId, instances.length <= desired);
      }
    },
    async release() {
      const limit = pLimit(CALLS_AT_ONCE);
      for (const [name, { instances }] of await describeGroups(client, names)) {
        const held = instances.filter(({ isProtected }) => isProtected);
        await Promise.all(held.map(({ id }) => limit(() => setScaleInProtection(client, { groupName: name, instanceId: id }, false))));
        await setDesiredCapacity(client, name, 0);
      }
    },
  };
}

const capacityOf = ({ spot, onDemand }: Groups) => spot.desired + onDemand.desired;

async function readGroups(client: AutoScalingClient, { groupName, onDemand }: AsgFleetOptions): Promise<Groups> {
  const groups = await describeGroups(client, onDemand === undefined ? [groupName] : [groupName, onDemand.groupName]);
  const spot = groups.get(groupName);
  if (spot === undefined) {
    throw new PrewarmError(
      'storage',
      `there is no Auto Scaling group ${groupName} in this account and region; check the configuration, or deploy the stack`,
    );
  }
  return { spot, onDemand: groups.get(onDemand?.groupName ?? '') ?? NOTHING };
}

async function inspectGroups(client: AutoScalingClient, options: AsgFleetOptions): Promise<FleetInspection> {
  const names = [options.groupName, ...(options.onDemand === undefined ? [] : [options.onDemand.groupName])];
  const [groups, ...activities] = await Promise.all([readGroups(client, options), ...names.map((name) => readActivities(client, name))]);
  const failed = activities.flatMap(({ lastFailed }) => (lastFailed === null ? [] : [lastFailed]));
  const [last = null] = failed.toSorted((a, b) => b.at - a.at);
  const launchedAt = new Map(activities.flatMap((one) => [...one.launchedAt]));
  const members = [...groups.spot.members, ...groups.onDemand.members];
  return {
    capacity: capacityOf(groups),
    onDemand: groups.onDemand.desired,
    lastFailedActivity: last,
    members: members.map((member) => ({ ...member, since: launchedAt.get(member.id) ?? null })),
  };
}

/** More is asked of Spot; less is taken from what costs more first. */
async function setCapacity(client: AutoScalingClient, options: AsgFleetOptions, wanted: number): Promise<void> {
  const { groupName, onDemand } = options;
  if (onDemand === undefined) {
    await setDesiredCapacity(client, groupName, wanted);
    return;
  }
  const groups = await readGroups(client, options);
  const surplus = Math.max(0, capacityOf(groups) - wanted);
  const kept = Math.max(0, groups.onDemand.desired - surplus);
  if (kept !== groups.onDemand.desired) await setDesiredCapacity(client, onDemand.groupName, kept);
  if (wanted - kept !== groups.spot.desired) await setDesiredCapacity(client, groupName, wanted - kept);
}

async function fallBack(client: AutoScalingClient, options: AsgFleetOptions, overdue: number): Promise<number> {
  const { groupName, onDemand } = options;
  if (onDemand === undefined || onDemand.afterMinutes === 0 || overdue === 0) return 0;
  const groups = await readGroups(client, options);
  const dueOfSpot = Math.min(groups.spot.desired, overdue - groups.onDemand.desired);
  const missing = Math.max(0, dueOfSpot - groups.spot.instances.length);
  if (missing === 0) return 0;
  // In this order, so that a crash in between leaves too little, which the next look at the claims makes good, and not too much.
  await setDesiredCapacity(client, groupName, groups.spot.desired - missing);
  await setDesiredCapacity(client, onDemand.groupName, groups.onDemand.desired + missing);
  return missing;
}
