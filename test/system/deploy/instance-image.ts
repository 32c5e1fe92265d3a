import { GetInstanceProfileCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callAccount } from '../../../testing/aws-account/emulated-account.ts';
import type { DeployedStack } from './deployed-stack.ts';
import type { World } from './world.ts';

/** What an instance of a deployed group boots: read from its launch template, as an instance would. */
export interface InstanceImage {
  /** The bundled agent, fetched from where the user data fetches it. */
  readonly bundle: string;
  /** The group that its agents protect it in. */
  readonly groupName: string;
  /** The variables that the user data sets. */
  readonly variables: Readonly<Record<string, string>>;
  /** Node's own flags of the unit. */
  readonly nodeArguments: readonly string[];
  readonly roleArn: string;
  /** As the instance gets it. */
  readonly userData: string;
}

interface LaunchTemplateVersions {
  readonly LaunchTemplateVersions: readonly {
    readonly LaunchTemplateData: { readonly UserData: string; readonly IamInstanceProfile: { readonly Arn: string } };
  }[];
}

/** `NAME=value` lines of the unit's environment file, as the script writes it. */
function readVariables(script: string): Record<string, string> {
  const lines = script.split('\n').map((line) => /^\s*((?:PREWARM|AWS)_[A-Z_]+)=(.*)$/.exec(line));
  return Object.fromEntries(
    lines.flatMap((line) => (line === null ? [] : [[line[1] ?? '', line[2]?.replace(/^(["'])(.*)\1$/, '$2') ?? '']])),
  );
}

/** Fetches the bundle as the instance's role may, from where the script says. */
async function fetchBundle(world: World, script: string): Promise<string> {
  const [, bucket = '', key = ''] = /s3:\/\/([^/\s'"]+)\/([^\s'"]+)/.exec(script) ?? [];
  if (key === '') throw new Error(`the user data fetches nothing from S3:\n${script}`);
  const client = new S3Client({ ...world.account.client, forcePathStyle: true });
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const file = join(world.home, `agent-${key}`);
    await writeFile(file, (await Body?.transformToByteArray()) ?? '');
    return file;
  } finally {
    client.destroy();
  }
}

async function readRole({ account }: World, profileArn: string): Promise<string> {
  const client = new IAMClient(account.client);
  try {
    const InstanceProfileName = profileArn.split('/').at(-1);
    const { InstanceProfile } = await client.send(new GetInstanceProfileCommand({ InstanceProfileName }));
    const arn = InstanceProfile?.Roles?.[0]?.Arn;
    if (arn === undefined) throw new Error(`the instance profile ${profileArn} has no role`);
    return arn;
  } finally {
    client.destroy();
  }
}

/** Reads the launch templates of the deployed groups, and fetches what they name. */
export function readInstanceImages(world: World, deployed: DeployedStack): Promise<readonly InstanceImage[]> {
  return Promise.all(deployed.resources('AWS::EC2::LaunchTemplate').map((id) => readInstanceImage(world, id)));
}

async function readInstanceImage(world: World, LaunchTemplateId: string): Promise<InstanceImage> {
  const found = await callAccount<LaunchTemplateVersions>(world.account, 'ec2', 'describe_launch_template_versions', {
    LaunchTemplateId,
    Versions: ['$Latest'],
  });
  const data = found.LaunchTemplateVersions[0]?.LaunchTemplateData;
  if (data === undefined) throw new Error(`there is no launch template ${LaunchTemplateId}`);
  const userData = Buffer.from(data.UserData, 'base64').toString();
  const [, flags = ''] = /^ExecStart=\S*\/node\S*(.*?)\s\S+\.mjs$/m.exec(userData) ?? [];
  const variables = readVariables(userData);
  return {
    bundle: await fetchBundle(world, userData),
    groupName: variables['PREWARM_GROUP_NAME'] ?? '',
    variables,
    nodeArguments: flags.split(/\s+/).filter(Boolean),
    roleArn: await readRole(world, data.IamInstanceProfile.Arn),
    userData,
  };
}
