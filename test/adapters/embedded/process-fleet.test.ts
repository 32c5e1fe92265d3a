import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createProcessFleet, type ProcessFleetOptions } from '../../../adapters/embedded/process-fleet.ts';
import { PrewarmError } from '../../../core/errors.ts';
import { scriptPath } from './child-script.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';
import { until } from '../../../testing/until.ts';

function startFleet(mode: string, change: Partial<ProcessFleetOptions> = {}) {
  const exits: { pid: number; code: number | null; signal: string | null }[] = [];
  const fatal: unknown[] = [];
  let output = '';
  const fleet = createProcessFleet({
    entry: scriptPath('fleet-agent'),
    env: { ...process.env, TEST_AGENT: mode },
    maximum: 3,
    onExit: (pid, code, signal) => {
      exits.push({ pid, code, signal });
    },
    onFatal: (error) => fatal.push(error),
    onOutput: (text) => {
      output += text;
    },
    ...change,
  });
  onTestFinished(() => fleet.close());
  const ready = (pid: number) => output.includes(`ready ${pid}\n`);
  const allReady = (count: number) => until('all agents are ready', () => fleet.pids().length === count && fleet.pids().every(ready));
  return { fleet, exits, fatal, allReady, output: () => output };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('the fleet keeps as many agents as its capacity, at most the maximum, and ends the youngest first', async () => {
  const { fleet, exits, allReady } = startFleet('stays');
  await fleet.setCapacity(5);
  expect(await fleet.getCapacity()).toBe(3);
  await allReady(3);
  const [oldest = -1, ...younger] = fleet.pids();
  await fleet.setCapacity(1);
  await until('two agents have exited', () => exits.length === 2);
  expect(fleet.pids()).toEqual([oldest]);
  expect(exits.map(({ pid, signal }) => ({ pid, signal })).toSorted((a, b) => a.pid - b.pid)).toEqual(
    younger.map((pid) => ({ pid, signal: 'SIGTERM' })).toSorted((a, b) => a.pid - b.pid),
  );
  await fleet.close();
  expect(isAlive(oldest)).toBe(false);
  expect(fleet.pids()).toEqual([]);
});

it('the fleet replaces an agent that is killed, and reports whose leases to free', async () => {
  const { fleet, exits, fatal, allReady } = startFleet('stays');
  await fleet.setCapacity(2);
  await allReady(2);
  const [killed = -1, other = -1] = fleet.pids();
  process.kill(killed, 'SIGKILL');
  await until('an agent has exited', () => exits.length === 1);
  await allReady(2);
  expect(exits).toEqual([{ pid: killed, code: null, signal: 'SIGKILL' }]);
  expect(fleet.pids()).toContain(other);
  expect(fleet.pids()).not.toContain(killed);
  expect(fatal).toEqual([]);
});

it('the fleet gives up when agents keep ending at their start, and reports the last words of one', async () => {
  const { fleet, exits, fatal } = startFleet('dies');
  await fleet.setCapacity(2);
  await until('the fleet gives up', () => fatal.length > 0);
  expect(fatal).toEqual([
    expect.objectContaining({ code: 'agents_failed', message: expect.stringMatching(/exit code 1.*no disk to work on$/) }),
  ]);
  await fleet.close();
  expect(exits.length).toBeGreaterThanOrEqual(5);
  expect(exits.length).toBeLessThanOrEqual(6);
});

it('the fleet gives up when agents cannot be started at all', async () => {
  const { fleet, fatal } = startFleet('stays', { entry: join(temporaryDir(), 'missing.ts') });
  await fleet.setCapacity(1);
  await until('the fleet gives up', () => fatal.length > 0);
  expect(fatal[0]).toMatchObject({ code: 'agents_failed', message: expect.stringContaining('missing.ts') });
});

it('the fleet passes on a fatal report of an agent, and starts no other', async () => {
  const { fleet, fatal, allReady } = startFleet('fatal');
  await fleet.setCapacity(1);
  await until('the fleet gives up', () => fatal.length > 0);
  expect(fatal[0]).toBeInstanceOf(PrewarmError);
  expect(fatal[0]).toMatchObject({ code: 'storage_full', message: '/data: no space is left' });
  await allReady(1);
  process.kill(fleet.pids()[0] ?? -1, 'SIGKILL');
  await until('no agent is left', () => fleet.pids().length === 0);
  await fleet.setCapacity(2);
  expect(fleet.pids()).toEqual([]);
});

it('the fleet reports a failure to free the leases', async () => {
  const { fleet, fatal, allReady } = startFleet('stays', { onExit: () => Promise.reject(new Error('the tables are gone')) });
  await fleet.setCapacity(1);
  await allReady(1);
  process.kill(fleet.pids()[0] ?? -1, 'SIGKILL');
  await until('the fleet gives up', () => fatal.length > 0);
  expect(fatal[0]).toMatchObject({ message: 'the tables are gone' });
});

it('the fleet kills an agent that does not react', async () => {
  const { fleet, exits, allReady } = startFleet('deaf', { killAfterMs: 200 });
  await fleet.setCapacity(1);
  await allReady(1);
  await fleet.close();
  expect(exits).toEqual([expect.objectContaining({ signal: 'SIGKILL' })]);
});

it('the fleet keeps one uncounted agent ready, and uses it for the first request', async () => {
  const { fleet, allReady } = startFleet('stays', { keepReady: 1 });
  await allReady(1);
  expect(await fleet.getCapacity()).toBe(0);
  const [ready = -1] = fleet.pids();
  await fleet.setCapacity(2);
  await allReady(2);
  expect(fleet.pids()).toContain(ready);
});

it('the fleet leaves no agent behind when its own process is killed', async () => {
  const parentScript = join(temporaryDir(), 'parent.mjs');
  writeFileSync(
    parentScript,
    `import { createProcessFleet } from ${JSON.stringify(new URL('../../../adapters/embedded/process-fleet.ts', import.meta.url).href)};
     const fleet = createProcessFleet({ entry: ${JSON.stringify(scriptPath('fleet-agent'))}, maximum: 1, onExit() {}, onFatal() {},
       onOutput: (text) => process.stdout.write(text) });
     await fleet.setCapacity(1);`,
  );
  const parent = spawn(process.execPath, [parentScript], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(parent.stdout, 'data');
  const agent = Number(/ready (\d+)/.exec(String(said))?.[1]);
  expect(isAlive(agent)).toBe(true);
  parent.kill('SIGKILL');
  await until('the agent is gone', () => !isAlive(agent));
  expect(isAlive(agent)).toBe(false);
});
