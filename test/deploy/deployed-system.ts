import { join } from 'node:path';
import { type AgentGroup, watchAgentGroup } from './agent-group.ts';
import { type DeployedStack, deployStack, type StackToDeploy } from './deployed-stack.ts';
import { type InstanceImage, readInstanceImage } from './instance-image.ts';
import type { World } from './world.ts';

/** A stack in the account, with the processes that its group's instances are. */
export interface DeployedSystem extends DeployedStack {
  readonly stack: StackToDeploy;
  readonly image: InstanceImage;
  readonly group: AgentGroup;
}

export const groupNameOf = (envName: string) => `prewarm_asg_${envName}`;

/** `PrewarmStack` as the environment prod, `PrewarmExistingVpcStack` as staging. */
export function stacksToDeploy(assemblies: string, { network }: World): readonly StackToDeploy[] {
  const { vpc, subnet, sg, key } = network;
  return [
    { stackName: 'PrewarmStack', envName: 'prod', assembly: join(assemblies, 'prod') },
    {
      stackName: 'PrewarmExistingVpcStack-staging',
      envName: 'staging',
      assembly: join(assemblies, 'staging'),
      parameters: { vpc, subnet, sg, key },
    },
  ];
}

export async function deploySystem(world: World, stack: StackToDeploy): Promise<DeployedSystem> {
  const deployed = await deployStack(world, stack);
  const image = await readInstanceImage(world, deployed);
  return { ...deployed, stack, image, group: watchAgentGroup(world, groupNameOf(stack.envName), image) };
}
