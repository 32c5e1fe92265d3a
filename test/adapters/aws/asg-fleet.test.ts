import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import { createAsgFleet } from '../../../adapters/aws/asg-fleet.ts';
import { setScaleInProtection } from '../../../adapters/aws/asg-group.ts';
import { describeFleet } from '../contracts/fleet.contract.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

describeWithAccount('Auto Scaling', (account) => {
  let made = 0;

  async function createGroup(client: AutoScalingClient, groupName: string): Promise<void> {
    const launch = { LaunchConfigurationName: groupName, ImageId: 'ami-1', InstanceType: 'm6g.large' };
    await client.send(new CreateLaunchConfigurationCommand(launch));
    const zone = `${account().region}a`;
    const group = {
      AutoScalingGroupName: groupName,
      LaunchConfigurationName: groupName,
      AvailabilityZones: [zone],
      MinSize: 0,
      MaxSize: 3,
    };
    await client.send(new CreateAutoScalingGroupCommand({ ...group, DesiredCapacity: 0 }));
  }

  async function create(afterMinutes = 10) {
    const client = new AutoScalingClient(account().client);
    made += 1;
    const groupName = `prewarm_asg_${made}`;
    const onDemand = `${groupName}_ondemand`;
    await createGroup(client, groupName);
    await createGroup(client, onDemand);
    const fleet = createAsgFleet(client, { groupName, maximum: 3, onDemand: { groupName: onDemand, afterMinutes } });
    const sizes = async () => {
      const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [groupName, onDemand] });
      const { AutoScalingGroups: groups = [] } = await client.send(command);
      return [groupName, onDemand].map((name) => groups.find((group) => group.AutoScalingGroupName === name)?.Instances?.length ?? 0);
    };
    const agents = async () => (await sizes()).reduce((sum, size) => sum + size, 0);
    const setDesired = (name: string, capacity: number) =>
      client.send(new SetDesiredCapacityCommand({ AutoScalingGroupName: name, DesiredCapacity: capacity }));
    return { fleet, agents, sizes, setDesired, client, groupName, onDemand, dispose: () => client.destroy() };
  }

  describeFleet('Two Auto Scaling groups', () => create());

  test('the fleet sums the capacity of both groups, asks Spot for more, and reduces on demand first', async () => {
    const { fleet, sizes, setDesired, groupName, onDemand, dispose } = await create();
    await setDesired(groupName, 1);
    await setDesired(onDemand, 1);
    expect(await fleet.getCapacity()).toBe(2);
    await fleet.setCapacity(3);
    expect(await sizes()).toEqual([2, 1]);
    await fleet.setCapacity(2);
    expect(await sizes()).toEqual([2, 0]);
    await setDesired(onDemand, 2);
    await fleet.setCapacity(1);
    expect(await sizes()).toEqual([1, 0]);
    expect(await fleet.describe()).toMatchObject({ capacity: 1, onDemand: 0, fallbackMinutes: 10 });
    dispose();
  });

  test('what Spot has delivered is not asked for on demand, however overdue', async () => {
    const { fleet, sizes, dispose } = await create();
    await fleet.setCapacity(2);
    expect(await fleet.fallBack(3)).toBe(0);
    expect(await sizes()).toEqual([2, 0]);
    dispose();
  });

  test('an instance of either group is listed, can be ended, and is let go before the groups are deleted', async () => {
    const { fleet, client, sizes, setDesired, groupName, onDemand, dispose } = await create();
    await setDesired(groupName, 1);
    await setDesired(onDemand, 2);
    const [spot, first, second] = (await fleet.listInstances()).map(({ id }) => id);
    if (spot === undefined || first === undefined || second === undefined) throw new Error('no instances');
    for (const instanceId of [first, second]) await setScaleInProtection(client, { groupName: onDemand, instanceId }, true);
    await fleet.terminate(first);
    expect(await sizes()).toEqual([1, 1]);
    expect(await fleet.getCapacity()).toBe(2);
    await fleet.release();
    expect((await fleet.listInstances()).filter(({ isProtected }) => isProtected)).toEqual([]);
    expect(await fleet.getCapacity()).toBe(0);
    dispose();
  });

  test('an instance that is terminated is gone, and nothing takes its place', async () => {
    const { fleet, client, groupName, dispose } = await create();
    await fleet.setCapacity(3);
    const [first, second] = (await fleet.listInstances()).map(({ id }) => id);
    if (first === undefined || second === undefined) throw new Error('no instances');
    expect(await setScaleInProtection(client, { groupName, instanceId: first }, true)).toBe(true);
    expect((await fleet.listInstances()).find(({ id }) => id === first)).toEqual({ id: first, isProtected: true });
    await fleet.terminate(first);
    await fleet.terminate(first);
    expect((await fleet.listInstances()).map(({ id }) => id)).not.toContain(first);
    expect(await fleet.getCapacity()).toBe(2);
    expect(await fleet.listInstances()).toHaveLength(2);
    expect(await setScaleInProtection(client, { groupName, instanceId: first }, true)).toBe(false);
    dispose();
  });

  test('a group that is not there is an error that names it', async () => {
    const client = new AutoScalingClient(account().client);
    const fleet = createAsgFleet(client, { groupName: 'prewarm_asg_nowhere', maximum: 3 });
    await expect(fleet.getCapacity()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('prewarm_asg_nowhere') });
    await expect(fleet.setCapacity(1)).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('prewarm_asg_nowhere') });
    client.destroy();
  });
});
