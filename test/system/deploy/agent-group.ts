import { AutoScalingClient, DescribeAutoScalingGroupsCommand } from '@aws-sdk/client-auto-scaling';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { callAccount } from '../../../testing/aws-account/emulated-account.ts';
import type { InstanceImage } from './instance-image.ts';
import { type InstanceCredentials, type MetadataStandIn, startMetadataStandIn } from '../../../testing/aws-account/metadata-stand-in.ts';
import type { World } from './world.ts';

const LOOK_EVERY_MS = 200;
/** What an instance is given to shut down. */
const SHUTDOWN_MS = 10_000;

interface Instance {
  readonly id: string;
  readonly groupName: string;
  readonly child: ChildProcess;
  readonly metadata: MetadataStandIn;
  readonly ended: Promise<unknown>;
  readonly log: () => string;
}

/** Turns the rows that stand for instances in emulated groups into processes: one agent per unit of their capacity. */
export interface AgentGroup {
  /** Ids of the instances whose agent runs; with a name, of that group's alone. */
  running(groupName?: string): readonly string[];
  /** From now on nobody boots, until `release`. Those that run go on. */
  hold(): void;
  release(): void;
  /** As if the instance were lost: SIGKILL. */
  kill(instanceId: string): void;
  interrupt(instanceId: string): void;
  /** All that agents wrote, those included that are gone. */
  log(): string;
  /** Why watching broke off; null: it goes on. */
  failure(): unknown;
  close(): Promise<void>;
}

/** Credentials of the instance's own role: what that may not do, the agent cannot. */
export function takeRole({ account }: World, roleArn: string, instanceId: string): Promise<InstanceCredentials> {
  return callAccount<{ Credentials: InstanceCredentials }>(account, 'sts', 'assume_role', {
    RoleArn: roleArn,
    RoleSessionName: instanceId,
  }).then(({ Credentials }) => ({ ...Credentials, Expiration: new Date(Credentials.Expiration).toISOString() }));
}

async function boot(world: World, image: InstanceImage, id: string): Promise<Instance> {
  const { account } = world;
  // Taken ahead: the first question for them must not wait for it.
  const credentials = await takeRole(world, image.roleArn, id);
  const metadata = await startMetadataStandIn({
    instanceId: id,
    region: account.region,
    roleName: image.roleArn.split('/').at(-1) ?? '',
    credentials: () => Promise.resolve(credentials),
  });
  const child = spawn(process.execPath, [...image.nodeArguments, image.bundle], {
    env: {
      PATH: process.env['PATH'],
      HOME: world.home,
      ...image.variables,
      ...world.edgeVariables,
      AWS_ENDPOINT_URL: account.endpoint,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => lines.push(text));
  return { id, groupName: image.groupName, child, metadata, ended: once(child, 'exit'), log: () => lines.join('') };
}

async function shutDown({ child, metadata, ended }: Instance): Promise<void> {
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(SHUTDOWN_MS, undefined, { ref: false })]);
  child.kill('SIGKILL');
  await ended;
  await metadata.close();
}

/** Watches the groups of these images until closed. */
export function watchAgentGroups(world: World, images: readonly InstanceImage[]): AgentGroup {
  const client = new AutoScalingClient(world.account.client);
  const booting = new Map<string, Promise<Instance>>();
  const up = new Map<string, Instance>();
  const gone: Instance[] = [];
  const stopping: Promise<void>[] = [];
  let held = false;
  let closed = false;
  let failure: unknown = null;
  const killAll = () => {
    for (const { child } of up.values()) child.kill('SIGKILL');
  };
  process.once('exit', killAll);

  /** Instances with what each of them boots. */
  async function wanted(): Promise<ReadonlyMap<string, InstanceImage>> {
    const AutoScalingGroupNames = images.map(({ groupName }) => groupName);
    const { AutoScalingGroups: groups = [] } = await client.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames }));
    return new Map(
      groups.flatMap(({ AutoScalingGroupName: name, Instances: instances = [] }) => {
        const image = images.find(({ groupName }) => groupName === name);
        return image === undefined ? [] : instances.map(({ InstanceId }) => [InstanceId ?? '', image] as const);
      }),
    );
  }

  async function look(): Promise<void> {
    const ids = await wanted();
    for (const [id, image] of ids) {
      if (held || booting.has(id)) continue;
      const instance = boot(world, image, id);
      booting.set(id, instance);
      up.set(id, await instance);
    }
    for (const [id, instance] of up) {
      if (ids.has(id)) continue;
      up.delete(id);
      gone.push(instance);
      stopping.push(shutDown(instance));
    }
  }

  async function watch(): Promise<void> {
    while (!closed) {
      await look();
      await sleep(LOOK_EVERY_MS);
    }
  }

  const watching = watch().catch((error: unknown) => {
    failure = error;
  });
  return {
    running: (groupName) =>
      [...up.values()]
        .filter(({ child }) => child.exitCode === null && child.signalCode === null)
        .filter((instance) => groupName === undefined || instance.groupName === groupName)
        .map(({ id }) => id),
    hold() {
      held = true;
    },
    release() {
      held = false;
    },
    kill: (id) => void up.get(id)?.child.kill('SIGKILL'),
    interrupt: (id) => up.get(id)?.metadata.announceSpotInterruption(),
    log: () => [...gone, ...up.values()].map((instance) => `-- ${instance.id}\n${instance.log()}`).join(''),
    failure: () => failure,
    async close() {
      closed = true;
      await watching;
      await Promise.all([...stopping, ...[...up.values()].map(shutDown)]);
      client.destroy();
      process.off('exit', killAll);
    },
  };
}
