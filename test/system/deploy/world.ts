import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimulatedEdgeOptions } from '../../../simulator/simulated-edge-options.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../../simulator/simulated-edge.ts';
import { callAccount, type EmulatedAccount, startEmulatedAccount } from '../../../testing/aws-account/emulated-account.ts';
import { killRunningCdk, runCdkWell } from '../../../testing/aws-account/cdk-cli.ts';

export const POPS = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1'] as const;

/** A network that was there before us, as the stack for existing networks wants it. */
interface ExistingNetwork {
  readonly vpc: string;
  readonly subnet: string;
  readonly sg: string;
  readonly key: string;
}

/** An account that is bootstrapped, and a CloudFront for its functions and agents; both on loopback. */
export interface EdgeAccount {
  readonly account: EmulatedAccount;
  readonly edge: SimulatedEdge;
  /** The variables that lead functions and agents to that edge. */
  readonly edgeVariables: Readonly<Record<string, string>>;
  /** Temporary; for whatever is written. */
  readonly home: string;
  close(): Promise<void>;
}

export interface World extends EdgeAccount {
  readonly network: ExistingNetwork;
}

const KEY_PAIR = 'operators';
const NETWORK = {
  Resources: {
    Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.9.0.0/16' } },
    One: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: { Ref: 'Vpc' }, CidrBlock: '10.9.1.0/24' } },
    Other: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: { Ref: 'Vpc' }, CidrBlock: '10.9.2.0/24' } },
    Agents: { Type: 'AWS::EC2::SecurityGroup', Properties: { VpcId: { Ref: 'Vpc' }, GroupDescription: 'Agents' } },
  },
  Outputs: {
    vpc: { Value: { Ref: 'Vpc' } },
    subnet: { Value: { 'Fn::Join': [',', [{ Ref: 'One' }, { Ref: 'Other' }]] } },
    sg: { Value: { 'Fn::GetAtt': ['Agents', 'GroupId'] } },
  },
};

async function createNetwork(account: EmulatedAccount): Promise<ExistingNetwork> {
  const client = new CloudFormationClient(account.client);
  try {
    const StackName = 'network';
    await client.send(new CreateStackCommand({ StackName, TemplateBody: JSON.stringify(NETWORK) }));
    await waitUntilStackCreateComplete({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StackName });
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
    const outputs = Object.fromEntries(
      (Stacks?.[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']),
    );
    await callAccount(account, 'ec2', 'create_key_pair', { KeyName: KEY_PAIR });
    return { vpc: outputs['vpc'] ?? '', subnet: outputs['subnet'] ?? '', sg: outputs['sg'] ?? '', key: KEY_PAIR };
  } finally {
    client.destroy();
  }
}

/** Starts account and edge, and bootstraps the account with the real command. */
export async function openEdgeAccount({ auth }: { readonly auth: boolean }, edgeOptions: SimulatedEdgeOptions): Promise<EdgeAccount> {
  const home = mkdtempSync(join(tmpdir(), 'prewarm-deploy-'));
  const removeHome = () => rmSync(home, { recursive: true, force: true });
  process.once('exit', removeHome);
  const open: (() => Promise<void>)[] = [];
  const close = async () => {
    killRunningCdk();
    await Promise.all(open.map((end) => end()));
    removeHome();
    process.off('exit', removeHome);
  };
  try {
    const edge = await createSimulatedEdge(edgeOptions);
    open.push(() => edge.close());
    const { caFile, edgeMapFile } = await edge.writeFiles(home);
    const edgeVariables = { PREWARM_EDGE_MAP: edgeMapFile, PREWARM_CA_FILE: caFile, PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true' };
    const account = await startEmulatedAccount({ auth, environment: edgeVariables, folders: [home] });
    open.push(account.stop);
    const target = `aws://${account.accountId}/${account.region}`;
    // Not in the clone, where it would synthesize the stacks first.
    await runCdkWell(['bootstrap', target], { env: account.env, home, cwd: home });
    return { account, edge, edgeVariables, home, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same with a network in it. */
export async function openWorld(options: { readonly auth: boolean }): Promise<World> {
  const opened = await openEdgeAccount(options, { pops: POPS.map((pop) => ({ pop })) });
  try {
    return { ...opened, network: await createNetwork(opened.account) };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
