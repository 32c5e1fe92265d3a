import { APIGatewayClient, GetApiKeyCommand } from '@aws-sdk/client-api-gateway';
import { CloudFormationClient, DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CdkRun, runCdkWell } from '../../../testing/aws-account/cdk-cli.ts';
import type { World } from './world.ts';

/** What a deployment left, as its user finds it. */
export interface DeployedStack {
  readonly stackName: string;
  readonly envName: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** The API's base URL without a slash at its end, and its key. */
  readonly url: string;
  readonly key: string;
  readonly run: CdkRun;
  /** Physical ids of the resources of a type. */
  resources(type: string): readonly string[];
}

export interface StackToDeploy {
  readonly stackName: string;
  readonly envName: string;
  /** The folder that `cdk synth` wrote. */
  readonly assembly: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The emulator answers at its own address, not at the name that the stack's output tells. */
function reachableUrl(endpoint: string, told: string): string {
  const [, api = '', stage = ''] = /^https:\/\/([^.]+)\.execute-api\.[^/]+\/([^/]+)\/$/.exec(told) ?? [];
  if (api === '') throw new Error(`no base URL of an API with a slash at its end: ${told}`);
  return `${endpoint}/_aws/execute-api/${api}/${stage}`;
}

async function readKey({ account }: World, arn: string): Promise<string> {
  const client = new APIGatewayClient(account.client);
  try {
    const { value } = await client.send(new GetApiKeyCommand({ apiKey: arn.split('/').at(-1), includeValue: true }));
    if (value === undefined) throw new Error(`there is no key ${arn}`);
    return value;
  } finally {
    client.destroy();
  }
}

async function listResources({ account }: World, StackName: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const client = new CloudFormationClient(account.client);
  try {
    const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName }));
    const byType = Map.groupBy(StackResources, ({ ResourceType }) => ResourceType ?? '');
    return new Map([...byType].map(([type, found]) => [type, found.map(({ PhysicalResourceId }) => PhysicalResourceId ?? '')]));
  } finally {
    client.destroy();
  }
}

export function deployArguments({ stackName, assembly, parameters = {} }: StackToDeploy): string[] {
  const given = Object.entries(parameters).flatMap(([name, value]) => ['--parameters', `${name}=${value}`]);
  return ['deploy', stackName, '--app', assembly, '--require-approval', 'never', ...given];
}

/** Deploys with the real command. Rejects with what that said. */
export async function deployStack(world: World, stack: StackToDeploy): Promise<DeployedStack> {
  const outputsFile = join(world.home, `${stack.stackName}.json`);
  const args = [...deployArguments(stack), '--outputs-file', outputsFile];
  const run = await runCdkWell(args, { env: world.account.env, home: world.home });
  const outputs = (JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>)[stack.stackName] ?? {};
  const resources = await listResources(world, stack.stackName);
  return {
    stackName: stack.stackName,
    envName: stack.envName,
    outputs,
    url: reachableUrl(world.account.endpoint, outputs['prewarmapiEndpoint'] ?? ''),
    key: await readKey(world, outputs['prewarmapikeyoutput'] ?? ''),
    run,
    resources: (type) => resources.get(type) ?? [],
  };
}
