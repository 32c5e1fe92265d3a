import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { runCdk, runCdkWell } from '../../../testing/aws-account/cdk-cli.ts';
import { type DeployedSystem, deploySystem, stacksToDeploy } from './deployed-system.ts';
import { deployArguments } from './deployed-stack.ts';
import { addedSince, type Inventory, takeInventory } from './inventory.ts';
import { openWorld, type World } from './world.ts';

/** What the tests of one account run on. Each member is there once its stack has been deployed. */
export interface Deployment {
  readonly world: () => World;
  /** `PrewarmStack`, the environment prod. */
  readonly prod: () => DeployedSystem;
  /** `PrewarmExistingVpcStack`, the environment staging. */
  readonly staging: () => DeployedSystem;
}

/** What a removed stack leaves on purpose: API Gateway's role for the logs of all APIs of the account. */
const LEFT_ON_PURPOSE = /^roles: Prewarm\w*Stack.*-RequestApiCloudWatc/;

/**
 * Registers the tests of both stacks in one emulated account, from the first deploy to the removal; `body` registers what is
 * tested between. Prints what each step took.
 */
export function describeDeployment(title: string, { auth }: { readonly auth: boolean }, body: (deployment: Deployment) => void): void {
  describe(`Both stacks, ${title}`, () => {
    let world: World | null = null;
    let before: Inventory = {};
    const systems = new Map<string, DeployedSystem>();
    const there = <T>(value: T | null | undefined): T => {
      if (value === null || value === undefined) throw new Error('an earlier step failed');
      return value;
    };
    const deployment: Deployment = {
      world: () => there(world),
      prod: () => there(systems.get('prod')),
      staging: () => there(systems.get('staging')),
    };
    const say = (text: string) => process.stdout.write(`${title}: ${text}\n`);
    const stackOf = (envName: string) => there(stacksToDeploy(inject('assemblies'), there(world)).find((one) => one.envName === envName));

    async function deploy(envName: string): Promise<void> {
      const system = await deploySystem(there(world), stackOf(envName));
      systems.set(envName, system);
      say(`${system.stackName} deployed in ${system.run.seconds.toFixed(1)} s`);
    }

    beforeAll(async () => {
      world = await openWorld({ auth });
      before = await takeInventory(world.account);
    });

    afterAll(async () => {
      for (const { group } of systems.values()) await group.close();
      await world?.close();
    });

    test('a deploy without the parameters that have no default fails before anything is made', async () => {
      const { account, home } = there(world);
      const run = await runCdk(deployArguments({ ...stackOf('staging'), parameters: {} }), { env: account.env, home });
      expect(run.code).not.toBe(0);
      for (const name of ['vpc', 'subnet', 'sg']) expect(run.output).toMatch(new RegExp(`missing a value:.*\\b${name}\\b`));
      const made = addedSince(before, await takeInventory(account));
      expect(made.filter((one) => !one.startsWith('buckets: cdk-'))).toEqual([]);
    });

    test('both stacks deploy beside each other, and their outputs lead to an API', async () => {
      await deploy('prod');
      await deploy('staging');
      for (const { outputs, url } of systems.values()) {
        expect(outputs['prewarmapiEndpoint']).toMatch(/^https:\/\/.*\/$/);
        expect(outputs['PrewarmStatusApiEndpoint']).toBe(outputs['prewarmapiEndpoint']);
        expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ status: expect.any(String) as string });
      }
    });

    body(deployment);

    test('a second deploy has nothing to change', async () => {
      const { account, home } = there(world);
      for (const envName of ['prod', 'staging']) {
        const run = await runCdk(deployArguments(stackOf(envName)), { env: account.env, home });
        expect(run).toMatchObject({ code: 0, output: expect.stringContaining('(no changes)') as string });
        say(`${envName} deployed again without a change in ${run.seconds.toFixed(1)} s`);
      }
    });

    test('the removal leaves nothing behind but what the account’s other APIs may use', async () => {
      const { account, home } = there(world);
      for (const system of systems.values()) {
        await system.group.close();
        expect(system.group.failure()).toBeNull();
        const { stackName, assembly } = system.stack;
        const run = await runCdkWell(['destroy', stackName, '--app', assembly, '--force'], { env: account.env, home });
        say(`${stackName} removed in ${run.seconds.toFixed(1)} s`);
      }
      const left = addedSince(before, await takeInventory(account));
      expect(left.filter((one) => !LEFT_ON_PURPOSE.test(one))).toEqual([]);
    });
  });
}
