import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { roundTripMs } from '../../../simulator/round-trip-ms.ts';
import { prewarm } from '../../cli/prewarm-command.ts';
import { runCdk, runCdkWell } from '../../../testing/aws-account/cdk-cli.ts';
import { deployArguments } from './deployed-stack.ts';
import { functionLog } from './function-log.ts';
import { addedSince, type Inventory, takeInventory } from './inventory.ts';
import { type EdgeAccount, openEdgeAccount } from './world.ts';

const HOST = 'd111111abcdef8.cloudfront.net';
const POPS = ['HKG62-C1', 'FRA56-P4'];
const ADDRESSES_OF_EACH = 2;
/** There is none of that name. */
const SILENT = 'ZZZ9-C1';
const PER_POP = 10;
/** Shorter than a deploy takes, longer than the time between two requests of a run through one POP (5.5 s). */
const ORIGIN_IDLE_MS = 15_000;
/** One of a run more or less, and what `prewarm timing` sends, always to the first address. */
const UNEVEN = 4;
const RUN_DEADLINE_MS = 180_000;
const PARAMETERS = {
  customDomain: HOST,
  distributionDomainName: HOST,
  urlPath: '/time',
  popList: [...POPS, SILENT].join(','),
  requestsPerPop: String(PER_POP),
};

/** What CloudWatch would take from a line of the function's log. */
interface LaneMetrics {
  readonly Pop: string;
  readonly KeepWarmRequests: number;
  readonly KeepWarmErrors: number;
  readonly KeepWarmSilent: number;
}

describe('Keep-warm in an account with IAM enforced', () => {
  let opened: EdgeAccount | null = null;
  let before: Inventory = {};
  const say = (text: string) => process.stdout.write(`keep-warm: ${text}\n`);
  const world = (): EdgeAccount => {
    if (opened === null) throw new Error('an earlier step failed');
    return opened;
  };
  const assembly = () => join(inject('assemblies'), 'prod');
  const argumentsOf = (stackName: string, parameters: Readonly<Record<string, string>>) =>
    deployArguments({ stackName, envName: 'prod', assembly: assembly(), parameters });
  const options = () => ({ env: world().account.env, home: world().home });

  beforeAll(async () => {
    opened = await openEdgeAccount(
      { auth: true },
      {
        host: HOST,
        pops: POPS.map((pop) => ({ pop, addresses: ADDRESSES_OF_EACH })),
        objects: (path) => (path === '/time' ? { size: 80, cacheControl: 'no-store' } : null),
        originNetwork: { idleMs: ORIGIN_IDLE_MS, tlsRoundTrips: 1, roundTripMs: (pop) => roundTripMs(pop, 'FRA') },
      },
    );
    before = await takeInventory(opened.account);
  });

  afterAll(() => opened?.close());

  /** GETs at each address of the edge. */
  const sent = () =>
    world()
      .edge.counters()
      .addresses.map(({ pop, total }) => ({ pop, gets: total.gets }));

  /** What `prewarm timing` says through the POPs of the edge; printed. */
  async function timing(when: string): Promise<string> {
    const { home } = world();
    const flags = ['--edge-map', join(home, 'edge-map.json'), '--ca-file', join(home, 'ca.pem'), '--allow-private-addresses'];
    const run = await prewarm(['timing', `https://${HOST}/time`, '--pops', POPS.join(','), '--count', '1', ...flags]);
    if (run.code !== 0) throw new Error(`timing ended with ${run.code}: ${run.stdout}${run.stderr}`);
    say(`prewarm timing ${when}:\n${run.stdout}`);
    return run.stdout;
  }

  async function laneMetrics(): Promise<readonly LaneMetrics[]> {
    const lines = await functionLog(world().account, 'prewarm_keep-warm_prod');
    return lines.flatMap((line) => (line.includes('KeepWarmSilent') ? [JSON.parse(line.slice(line.indexOf('{'))) as LaneMetrics] : []));
  }

  test('a budget that would be exceeded fails the deploy with the calculation, and leaves nothing that sends', async () => {
    const { code, output } = await runCdk(argumentsOf('LambdaPrewarmStack', { ...PARAMETERS, maxRequestsPerDay: '1000' }), options());
    expect(code).not.toBe(0);
    expect(output).toContain('maxRequestsPerDay: "1000": would be passed: 3 POPs x 10 requests x 1,440 runs = 43,200 requests a day');
    expect(addedSince(before, await takeInventory(world().account))).toEqual(['stacks: LambdaPrewarmStack']);
    expect(sent().map(({ gets }) => gets)).toEqual(sent().map(() => 0));
  });

  test('with a budget that suffices it deploys, and the backend to try it on beside it', async () => {
    expect((await timing('before')).match(/x-connection: new/g)).toHaveLength(POPS.length);
    for (const [stackName, parameters] of [
      ['LambdaPrewarmStack', PARAMETERS],
      ['CloudfrontDynamicAPIStack', {}],
    ] as const) {
      const { seconds } = await runCdkWell(argumentsOf(stackName, parameters), options());
      say(`${stackName} deployed in ${seconds.toFixed(1)} s`);
    }
  });

  test('the scheduled function sends its requests through the POPs, which find their connections open', async () => {
    const smallest = () => Math.min(...sent().map(({ gets }) => gets));
    await expect.poll(smallest, { timeout: RUN_DEADLINE_MS }).toBeGreaterThan(1);
    expect((await timing('while it is kept warm')).match(/x-connection: reused/g)).toHaveLength(POPS.length);
    const lanes = POPS.length + 1;
    await expect.poll(async () => (await laneMetrics()).length, { timeout: RUN_DEADLINE_MS, interval: 1000 }).toBeGreaterThanOrEqual(lanes);
    const run = (await laneMetrics()).slice(0, lanes);
    expect(run.map(({ Pop, KeepWarmErrors, KeepWarmSilent }) => [Pop, KeepWarmErrors, KeepWarmSilent])).toEqual([
      ...POPS.map((pop) => [pop, 0, 0]),
      [SILENT, 0, 1],
    ]);
    for (const one of POPS) {
      const gets = sent().flatMap(({ pop, gets: count }) => (pop === one ? [count] : []));
      expect(Math.max(...gets) - Math.min(...gets)).toBeLessThanOrEqual(UNEVEN);
      const told = run.find(({ Pop }) => Pop === one)?.KeepWarmRequests ?? Number.NaN;
      expect(gets.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(told);
      say(`${one}: ${told} requests in the first run; until now ${gets.join(' and ')} at its addresses`);
    }
  });

  test('the removal of both leaves nothing behind', async () => {
    await runCdkWell(['destroy', 'LambdaPrewarmStack', 'CloudfrontDynamicAPIStack', '--app', assembly(), '--force'], options());
    expect(addedSince(before, await takeInventory(world().account))).toEqual([]);
  });
});
