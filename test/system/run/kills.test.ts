import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { AGENT_ENTRY } from '../../../embedded/embedded-system.ts';
import type { SimulatedEdge } from '../../../simulator/simulated-edge.ts';
import { findCold } from '../../../testing/edge-viewer.ts';
import type { Ended, PrewarmProcess } from '../../../testing/prewarm-process.ts';
import { lastProgress, mapFlags, openScene, popsOf, type Scene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU3-P1'].map((pop) => ({ pop, addresses: 2 }));
const PATHS = Array.from({ length: 70 }, (_, index) => `/o/${index % 10 === 0 ? '80k' : '3k'}/object-${index}`);
const SIZE = PATHS.reduce((sum, path) => sum + (path.includes('80k') ? 80 : 3) * 1024, 0) * POPS.length;

/** So slow, and with so few downloads in flight, that there is time to kill something in the middle. */
async function startSlowEdge(scene: Scene) {
  const edge = await scene.edge({ pops: POPS, latencies: { edgeMs: 25 } });
  const urls = PATHS.map((path) => urlOf(edge, path));
  const places = ['--pops', popsOf(edge).join(','), ...mapFlags(scene, edge)];
  const first = ['run', scene.list(urls), ...places, '--agents', '2', '--concurrency', '5', '--data-dir', scene.at('data')];
  const results = ['--json', '--out', scene.at('report.csv')];
  return { edge, urls, first: [...first, ...results], resume: ['run', '--resume', '--data-dir', scene.at('data'), ...results] };
}

const getsAt = (edge: SimulatedEdge) => edge.counters().edge.gets;

async function untilMoreGets(edge: SimulatedEdge, more: number): Promise<void> {
  const wanted = getsAt(edge) + more;
  await until(`${wanted} GETs`, () => getsAt(edge) >= wanted);
}

/** Whatever was killed: every target is counted once, is in the report once, and is warm at every address. */
async function expectExact(scene: Scene, edge: SimulatedEdge, urls: readonly string[], { code, stdout }: Ended): Promise<void> {
  const rows = scene.report('report.csv');
  const total = urls.length * POPS.length;
  expect(targetsIn(rows)).toEqual(targetsOf(urls, popsOf(edge)));
  const final = lastProgress(stdout);
  const wanted = { status: 'FINISHED', percentage_complete: 100, total_count: total, download_count: total, failed_count: 0 };
  expect({ code, ...final }).toMatchObject({ code: 0, ...wanted, verified_count: total, download_size: SIZE, total_size: SIZE });
  expect(final.warmed_count + final.already_warm_count).toBe(total);
  expect(rows.filter(({ outcome }) => outcome === 'warmed')).toHaveLength(final.warmed_count);
  expect(final.edge_bytes).toBeLessThanOrEqual(edge.counters().edge.bodyBytes);
  expect(await findCold(edge, PATHS)).toEqual([]);
}

async function killOneAgent(running: PrewarmProcess): Promise<void> {
  const [victim = 0, ...others] = running.agents();
  process.kill(victim, 'SIGKILL');
  await until('another agent in its place', () => {
    const agents = running.agents();
    return !agents.includes(victim) && agents.length === others.length + 1;
  });
}

describe.concurrent('kill -9', () => {
  test('kill -9 of agents in the middle leaves the run going on by itself and exact', { timeout: 60_000 }, async (context) => {
    const scene = openScene(context);
    const { edge, urls, first } = await startSlowEdge(scene);
    const running = scene.start(first);
    await untilMoreGets(edge, 60);
    await killOneAgent(running);
    await untilMoreGets(edge, 60);
    await killOneAgent(running);
    const ended = await running.ended;
    expect(ended.stderr).toBe('');
    await expectExact(scene, edge, urls, ended);
    expect(running.tree()).toEqual([]);
  });

  test('kill -9 of everything, while sizing and then again and again, neither loses nor doubles anything once resumed', {
    timeout: 90_000,
  }, async (context) => {
    const scene = openScene(context);
    const { edge, urls, first, resume } = await startSlowEdge(scene);
    const sizing = scene.start(first);
    await until('sizing', () => edge.counters().edge.heads > 5);
    await sizing.killTree();
    expect(getsAt(edge)).toBe(0);
    for (const more of [1, 40, 120]) {
      const running = scene.start(resume);
      await untilMoreGets(edge, more);
      await running.killTree();
      expect(running.tree()).toEqual([]);
    }
    const ended = await scene.run(resume);
    expect(ended.stderr).toBe('');
    await expectExact(scene, edge, urls, ended);

    const gets = getsAt(edge);
    const again = await scene.run(resume);
    await expectExact(scene, edge, urls, again);
    expect({ ...lastProgress(again.stdout), timestamp: '' }).toEqual({ ...lastProgress(ended.stdout), timestamp: '' });
    // Only the independent client has asked meanwhile: what has ended is told, not worked again.
    expect(getsAt(edge)).toBe(gets + PATHS.length * POPS.length * 2);
  });

  test('kill -9 of the parent alone ends its agents too, at once after the start and in the middle', {
    timeout: 60_000,
  }, async (context) => {
    const scene = openScene(context);
    const { edge, urls, first, resume } = await startSlowEdge(scene);
    const starting = scene.start(first.map((arg) => (arg === scene.at('data') ? scene.at('other-data') : arg)));
    await until('the first agent', () => starting.agents().length > 0);
    starting.signal('SIGKILL');
    await starting.ended;
    await until('the end of agents that had just been started', () => starting.tree().length === 0);

    const running = scene.start(first);
    await untilMoreGets(edge, 60);
    expect(running.agents()).toHaveLength(2);
    running.signal('SIGKILL');
    await running.ended;
    await until('the end of agents at work', () => running.tree().length === 0);
    await expectExact(scene, edge, urls, await scene.run(resume));
  });

  test('kill -9 of a parent whose agents are still loading ends them all the same', async (context) => {
    const scene = openScene(context);
    mkdirSync(scene.at('data'));
    const ends = Array.from({ length: 3 }, async (_, index) => {
      const agent = fork(AGENT_ENTRY, { env: { ...process.env, PREWARM_DATA_DIR: scene.at('data') } });
      context.onTestFinished(() => void agent.kill('SIGKILL'));
      const exited = once(agent, 'exit');
      // The end of this process would look the same to the agent, whose own code may or may not listen by now.
      await sleep(index * 100);
      agent.disconnect();
      return exited;
    });
    for (const exited of await Promise.all(ends)) expect(exited).toEqual([0, null]);
  });
});
