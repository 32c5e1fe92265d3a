import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import { createAsgFleet, setScaleInProtection } from '../../adapters/aws/asg-fleet.ts';
import { describeFleet } from '../contracts/fleet.contract.ts';
import { describeWithAccount } from './with-account.ts';

describeWithAccount('Auto Scaling', (account) => {
  let made = 0;

  async function create() {
    const client = new AutoScalingClient(account().client);
    made += 1;
    const groupName = `prewarm_asg_${made}`;
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
    const fleet = createAsgFleet(client, { groupName, maximum: 3 });
    const agents = async () => {
      const { AutoScalingGroups: groups } = await client.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [groupName] }));
      return groups?.[0]?.Instances?.length ?? 0;
    };
    return { fleet, agents, client, groupName, dispose: () => client.destroy() };
  }

  describeFleet('An Auto Scaling group', create);

  test('an instance that is terminated is gone, and nothing takes its place', async () => {
    const { fleet, client, groupName, dispose } = await create();
    await fleet.setCapacity(3);
    const [first, second] = (await fleet.listInstances()).map(({ id }) => id);
    if (first === undefined || second === undefined) throw new Error('no instances');
    expect(await setScaleInProtection(client, { groupName, instanceId: first }, true)).toBe(true);
    expect((await fleet.listInstances()).find(({ id }) => id === first)).toEqual({ id: first, isProtected: true, launchedAt: null });
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
