import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AutoScalingClient, SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import { ask, objectUrls } from '../../server/served.ts';
import { prewarm } from '../../cli/prewarm-command.ts';
import type { Deployment } from './deployment-suite.ts';
import { makeRequest, untilEnded } from './requests.ts';
import { measureTimesToFirstTask, type TimeToFirstTask } from './time-to-first-task.ts';
import { POPS } from './world.ts';

const domain = { cf_domain: 'd111111abcdef8.cloudfront.net' };
const VERIFY = fileURLToPath(new URL('../account/scripts/verify.ts', import.meta.url));
const ROUNDS = 5;
/** Of what takes a second on an idle machine. */
const TIMEOUT_MS = 90_000;
/** Of the scheduler (a minute) and of the functions behind it. */
const TIMER_MAY_BE_LATE_MS = 65_000;

/** Instances by the API and by themselves, and who asks for them. */
export function registerFleetTests({ world, prod }: Deployment): void {
  test('agents come and go with the capacity that POST /instances sets, and none is left at rest', async () => {
    const running = () => prod().group.running().length;
    await expect.poll(running, { timeout: TIMEOUT_MS }).toBe(0);
    expect(await ask(prod(), '/instances', { body: { DesiredCapacity: 2 } })).toMatchObject({
      status: 200,
      body: { status: 'success', message: 'Auto Scaling Group prewarm_asg_prod updated to Desired Capacity: 2' },
    });
    await expect.poll(running, { timeout: TIMEOUT_MS }).toBe(2);
    expect(await ask(prod(), '/instances')).toMatchObject({ status: 200, body: { message: 'query success', desiredcapacity: 2 } });
    await ask(prod(), '/instances', { body: { DesiredCapacity: 0 } });
    await expect.poll(running, { timeout: TIMEOUT_MS }).toBe(0);
    expect(await ask(prod(), '/instances')).toMatchObject({ body: { desiredcapacity: 0 } });
  });

  test('agents of the on-demand group count as capacity of the fleet, do the work, and go with the request', async () => {
    const onDemand = 'prewarm_asg_prod_ondemand';
    const client = new AutoScalingClient(world().account.client);
    const setDesired = (AutoScalingGroupName: string, DesiredCapacity: number) =>
      client.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity }));
    prod().group.hold();
    const id = await makeRequest(prod(), { url_list: objectUrls(40, 'ondemand'), pops: [...POPS], ...domain });
    // The emulator's Spot delivers at once, so that the fallback's two calls are made by hand.
    await setDesired('prewarm_asg_prod', 0);
    await setDesired(onDemand, 1);
    expect(await ask(prod(), '/instances')).toMatchObject({ body: { desiredcapacity: 1 } });
    prod().group.release();
    await expect.poll(() => prod().group.running(onDemand).length, { timeout: TIMEOUT_MS }).toBe(1);
    expect(await untilEnded(prod(), id)).toMatchObject({ status: 'FINISHED', total_count: 120, download_count: 120, failed_count: 0 });
    await expect.poll(() => prod().group.running(), { timeout: TIMEOUT_MS }).toEqual([]);
    expect(await ask(prod(), '/instances')).toMatchObject({ body: { desiredcapacity: 0 } });
    // It was protected in its own group while it worked.
    expect(prod().group.log()).not.toContain('scale_in_protection_failed');
    client.destroy();
  });

  test('a request claims its instances, and an agent that is stopped hands its work to the other', async () => {
    const id = await makeRequest(prod(), { url_list: objectUrls(600, 'moved'), pops: [...POPS], instance_count: 2, ...domain });
    await expect.poll(() => prod().group.running().length, { timeout: TIMEOUT_MS }).toBe(2);
    prod().group.interrupt(prod().group.running()[0] ?? '');
    expect(await untilEnded(prod(), id)).toMatchObject({ status: 'FINISHED', total_count: 1800, download_count: 1800, failed_count: 0 });
    await expect.poll(() => prod().group.running().length, { timeout: TIMEOUT_MS }).toBe(0);
  });
}

/** From POST to the first task, with its parts; printed. */
export function registerTimingTest(title: string, { world, prod }: Deployment): void {
  test('the first task is on the queue soon after the POST', async () => {
    prod().group.hold();
    const bodies = Array.from({ length: ROUNDS + 1 }, (_, round) => ({
      url_list: objectUrls(10, `first${round}-`),
      pops: [...POPS],
      ...domain,
    }));
    const [cold, ...warm] = await measureTimesToFirstTask(world(), prod(), bodies);
    prod().group.release();
    if (cold === undefined) throw new Error('nothing was measured');
    const median = (pick: (one: TimeToFirstTask) => number) => warm.map(pick).sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
    const parts = (of: (pick: (one: TimeToFirstTask) => number) => number) =>
      `POST answered ${of((one) => one.answered)}, sizing begun ${of((one) => one.sizing)}, ` +
      `sized ${of((one) => one.queueing)}, first task on the queue ${of((one) => one.firstTask)} ms after the POST was sent`;
    process.stdout.write(
      `${title}: 10 URLs x ${POPS.length} POPs: ${parts(median)} (median of ${ROUNDS}); the first of all: ${parts((pick) => pick(cold))}\n`,
    );
    for (const part of Object.values(cold)) expect(part).toBeGreaterThan(0);
    expect(median((one) => one.firstTask)).toBeLessThan(10_000);
  });
}

/** The command, as a user has it, against the deployed API. */
export function registerCommandTest({ world, prod }: Deployment): void {
  test('npm run verify:account finds that everything holds of the deployed stack', async () => {
    const urls = objectUrls(3, 'verified');
    const args = ['--stack', prod().stackName, '--endpoint', prod().url, '--pops', POPS.join(','), ...urls];
    const { stdout } = await promisify(execFile)(process.execPath, [VERIFY, ...args], { env: world().account.env });
    expect(stdout).not.toContain('FAILS');
    expect(stdout).toContain('FINISHED, 0 warmed and 9 there of 9');
  });

  test('the command submits to the deployed endpoint, waits for the end, and shows it again', async () => {
    // The base URL with its slash, as the stack's output has it.
    const env = { PREWARM_ENDPOINT: `${prod().url}/`, PREWARM_API_KEY: prod().key };
    const urls = objectUrls(5, 'command').flatMap((url) => ['--url', url]);
    const warm = await prewarm(['submit', ...urls, '--pops', POPS.join(','), '--domain', domain.cf_domain, '--wait', '--json'], env);
    expect(warm).toMatchObject({ code: 0 });
    const last = JSON.parse(warm.stdout.trimEnd().split('\n').at(-1) ?? '') as { request_id: string };
    expect(last).toMatchObject({ status: 'FINISHED', total_count: 15, download_count: 15, failed_count: 0 });
    const status = await prewarm(['status', last.request_id], env);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toContain('15 of 15 targets warm and verified');
  });
}

/** A request that never gets done, whose time-out comes while other tests run. */
export function registerTimeoutTests({ world, staging }: Deployment): { readonly begin: () => void; readonly end: () => void } {
  let id = '';
  let due = 0;
  return {
    begin() {
      test('a request that will not be done in time is accepted with the time of its end', async () => {
        world().edge.setFault({ path: '/o/1k/late*', method: 'GET' }, { kind: 'stall', at: 'headers' });
        const { status, body } = await ask<Record<string, string>>(staging(), '/prewarm', {
          body: { url_list: objectUrls(3, 'late'), pops: ['SIN2-P1'], timeout: 1, ...domain },
        });
        expect(status).toBe(200);
        id = body['request_id'] ?? '';
        due = Date.parse(`${body['timeout_at']}Z`);
        expect(due - Date.parse(`${body['timestamp']}Z`)).toBe(60_000);
      });
    },
    end() {
      test('the one-time schedule ends a request at its time, takes the instances down and is gone', async () => {
        const ended = await untilEnded(staging(), id, Math.max(0, due - Date.now()) + TIMER_MAY_BE_LATE_MS);
        expect(ended).toMatchObject({ status: 'TIMEOUT', total_count: 3, failed_count: 3, percentage_complete: 0 });
        expect(Date.now()).toBeGreaterThanOrEqual(due);
        await expect.poll(() => staging().group.running(), { timeout: TIMEOUT_MS }).toEqual([]);
      });
    },
  };
}
