import { join } from 'node:path';
import { type AgentGroup, watchAgentGroups } from './agent-group.ts';
import { type DeployedStack, deployStack, type StackToDeploy } from './deployed-stack.ts';
import { functionLog } from './function-log.ts';
import { type InstanceImage, readInstanceImages } from './instance-image.ts';
import type { World } from './world.ts';

/** A stack in the account, with the processes that its groups' instances are. */
export interface DeployedSystem extends DeployedStack {
  readonly stack: StackToDeploy;
  /** Of the group of Spot instances. */
  readonly image: InstanceImage;
  readonly group: AgentGroup;
  /** What agents wrote, and functions failed at: for whoever has to find out why something does not come. */
  readonly story: () => Promise<string>;
}

const groupNameOf = (envName: string) => `prewarm_asg_${envName}`;

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

async function failuresOf({ account }: World, functionName: string): Promise<string> {
  const lines = await functionLog(account, functionName).catch(() => []);
  const telling = lines.flatMap((line) => (/error|not authorized/i.test(line) ? [line.slice(0, 1500)] : []));
  return telling.length === 0 ? '' : `-- ${functionName}\n${[...new Set(telling)].slice(-10).join('\n')}\n`;
}

export async function deploySystem(world: World, stack: StackToDeploy): Promise<DeployedSystem> {
  const deployed = await deployStack(world, stack);
  const images = await readInstanceImages(world, deployed);
  const image = images.find(({ groupName }) => groupName === groupNameOf(stack.envName));
  if (image === undefined) throw new Error(`no launch template is of the group ${groupNameOf(stack.envName)}`);
  const group = watchAgentGroups(world, images);
  const story = async () => {
    const failures = await Promise.all(deployed.resources('AWS::Lambda::Function').map((name) => failuresOf(world, name)));
    const broken = group.failure() === null ? '' : `-- no instance is started any more: ${String(group.failure())}\n`;
    return `${group.log().slice(-4000)}\n${broken}${failures.join('')}`;
  };
  return { ...deployed, stack, image, group, story };
}
