import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { count } from '../../core/work/counters.ts';
import type { RequestRow } from '../../core/request/request.ts';
import { buildAgentBundle } from '../../packaging/agent-bundle.ts';
import { describeWithAccount } from '../../testing/aws-account/with-account.ts';
import { makeTemporaryDir, temporaryDir } from '../../testing/temporary-dir.ts';
import { type AgentScene, openAgentScene } from './agent-scene.ts';
import { until } from '../../testing/until.ts';

const dir = makeTemporaryDir();
let bundle = '';
beforeAll(() => {
  bundle = buildAgentBundle(dir.path);
});
afterAll(dir.remove);

const URLS = 60;
const TARGETS = 2 * URLS;

/** Slow enough for an agent to be met at work, whatever the machine; until the function returned is called. */
function slowDown(edge: AgentScene['edge']): () => Promise<void> {
  return edge.setFault({}, { kind: 'latency', ms: 4000 });
}

function outcomes({ status, counters }: RequestRow) {
  const done = count(counters, 'warmed') + count(counters, 'already_warm');
  return { status, done, failed: count(counters, 'failed'), bytes: count(counters, 'done_bytes') };
}

const ALL_DONE = { status: 'FINISHED', done: TARGETS, failed: 0, bytes: TARGETS * 2000 };

describe('the bundle', () => {
  test("the agent's bundle is one file, the same bytes each time and wherever it is put", () => {
    const again = buildAgentBundle(join(temporaryDir(), 'elsewhere'));
    expect(readFileSync(again).equals(readFileSync(bundle))).toBe(true);
    expect(readFileSync(bundle, 'utf8')).not.toContain(process.cwd());
  });
});

describeWithAccount('an agent', (account) => {
  async function open({ onTestFinished }: TestContext): Promise<AgentScene> {
    const scene = await openAgentScene(account(), bundle);
    onTestFinished(() => scene.close());
    return scene;
  }

  async function isQueueEmpty({ ports }: AgentScene): Promise<boolean> {
    const { available, leased } = await ports.tasks.counts();
    return available + leased === 0;
  }

  /** Resolves when the agent is in the middle of its work: some is recorded, more is on its way. */
  async function untilMidway(scene: AgentScene): Promise<void> {
    await until('requests reach the edge', () => scene.edge.counters().edge.gets > 20);
  }

  test.concurrent('the agent works every task of a request to a recorded row, and leaves nothing on the queue', async (context) => {
    const scene = await open(context);
    const { id } = await scene.request(URLS);
    const agent = scene.start();
    const row = await scene.finish(id);
    expect(outcomes(row)).toEqual(ALL_DONE);
    expect(count(row.counters, 'warmed')).toBe(TARGETS);
    expect(count(row.counters, 'verified')).toBe(TARGETS);
    await until('the queue is empty', () => isQueueEmpty(scene));
    agent.kill('SIGTERM');
    expect((await agent.ended()).code).toBe(0);
    expect(agent.lines().map(({ event }) => event)).toEqual(['working', 'leaving', 'tasks', 'stopped']);
    expect(agent.lines().find(({ event }) => event === 'tasks')).toMatchObject({ recorded: 12, targets: TARGETS, held: 0, refused: 0 });
  });

  test.concurrent('the agent ends soon when it is stopped while it waits for tasks, and takes none along', async (context) => {
    const scene = await open(context);
    const agent = scene.start();
    await agent.logged('working');
    agent.kill('SIGTERM');
    await agent.logged('leaving');
    await scene.request(URLS);
    const { code, ms } = await agent.ended();
    expect(code).toBe(0);
    expect(await scene.ports.tasks.counts()).toEqual({ available: 12, leased: 0 });
    expect(ms).toBeLessThan(10_000);
  });

  test.concurrent.for(['SIGTERM', 'Spot notice', 'target state'])(
    'the agent gives its tasks back within seconds of a %s, and another agent finishes them',
    async (how, context) => {
      const scene = await open(context);
      const speedUp = slowDown(scene.edge);
      const { id } = await scene.request(URLS);
      const agent = scene.start();
      await untilMidway(scene);
      if (how === 'SIGTERM') agent.kill('SIGTERM');
      else if (how === 'Spot notice') scene.metadata.announceSpotInterruption();
      else scene.metadata.tell('autoscaling/target-lifecycle-state', 'Terminated');
      const { code, ms } = await agent.ended();
      expect(code).toBe(0);
      // The notice is looked for every 5 s, the last wait for tasks takes as long.
      expect(ms).toBeLessThan(15_000);
      expect((await scene.ports.tasks.counts()).leased).toBe(0);
      expect(agent.lines().find(({ event }) => event === 'tasks')).toHaveProperty('hand_back');

      await speedUp();
      scene.metadata.tell('spot/instance-action', null);
      scene.metadata.tell('autoscaling/target-lifecycle-state', 'InService');
      scene.start();
      expect(outcomes(await scene.finish(id))).toEqual(ALL_DONE);
      await until('the queue is empty', () => isQueueEmpty(scene));
      expect(await scene.letters.receive(1, 0)).toEqual([]);
    },
  );

  test.concurrent('a killed agent loses its tasks to another one when its leases are over', async (context) => {
    const scene = await open(context);
    const speedUp = slowDown(scene.edge);
    const { id } = await scene.request(URLS);
    const agent = scene.start({ PREWARM_LEASE_MS: '4000' });
    await untilMidway(scene);
    agent.kill('SIGKILL');
    await agent.ended();
    expect((await scene.ports.tasks.counts()).leased).toBeGreaterThan(0);
    await speedUp();
    scene.start({ PREWARM_LEASE_MS: '4000' });
    expect(outcomes(await scene.finish(id))).toEqual(ALL_DONE);
  });

  test.concurrent('the agent deletes the tasks of a request that has ended, and stops those under way within 5 s', async (context) => {
    const scene = await open(context);
    const speedUp = slowDown(scene.edge);
    const { id } = await scene.request(300);
    scene.start();
    await untilMidway(scene);
    await scene.pipeline.end(id, 'STOPPED', null);
    await speedUp();
    await until('the edge is left alone', async () => {
      const before = scene.edge.counters().edge.gets;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return scene.edge.counters().edge.gets === before;
    });
    await until('the queue is empty', () => isQueueEmpty(scene));
    const s3 = new S3Client(account().client);
    const answered = await s3.send(new ListObjectsV2Command({ Bucket: scene.bucket, Prefix: `requests/${id}/results/` }));
    s3.destroy();
    expect(answered.KeyCount).toBeLessThan(12);
  });

  test.concurrent('the agent protects its instance while it holds tasks, and lets it go after a while without any', async (context) => {
    const scene = await open(context);
    const { id } = await scene.request(URLS);
    scene.start({ PREWARM_IDLE_MS: '1000', PREWARM_BUSY_DIR: join(dir.path, id) });
    await until('the instance is protected', () => scene.isProtected());
    expect(outcomes(await scene.finish(id))).toEqual(ALL_DONE);
    await until('the instance is free', async () => !(await scene.isProtected()));
  });

  test.concurrent('the agent receives nothing while its instance waits in a warm pool', async (context) => {
    const scene = await open(context);
    scene.metadata.tell('autoscaling/target-lifecycle-state', 'Warmed:Stopped');
    const { id } = await scene.request(URLS);
    const agent = scene.start();
    await agent.logged('waiting');
    expect(await scene.ports.tasks.counts()).toEqual({ available: 12, leased: 0 });
    scene.metadata.tell('autoscaling/target-lifecycle-state', 'InService');
    expect(outcomes(await scene.finish(id))).toEqual(ALL_DONE);
  });

  test.concurrent('the agent works on at a rebalance recommendation, and beside messages that are no tasks', async (context) => {
    const scene = await open(context);
    scene.metadata.tell('events/recommendations/rebalance', '{"noticeTime":"2026-11-21T08:22:00Z"}');
    for (const strange of ['{}', '[1]', '{"requestId":"x","taskId":"y","pop":"z","addresses":[],"slice":{"list":"sized"}}'])
      await scene.sqs.send(new SendMessageCommand({ QueueUrl: scene.queueUrl, MessageBody: strange, MessageGroupId: 'strange' }));
    const { id } = await scene.request(URLS);
    const agent = scene.start();
    expect(outcomes(await scene.finish(id))).toEqual(ALL_DONE);
    await agent.logged('rebalance_recommended');
    await agent.logged('strange_messages');
  });

  test.concurrent('the agent ends with exit code 1 and the cause when its queue is gone', async (context) => {
    const scene = await open(context);
    const agent = scene.start({ PREWARM_TASK_QUEUE_URL: `${scene.queueUrl}-gone` });
    expect((await agent.ended()).code).toBe(1);
    const last = agent.lines().at(-1);
    expect(last).toMatchObject({ level: 'error', event: 'failed' });
    expect(JSON.stringify(last?.['error'])).toMatch(/storage: receiving from the queue.*NonExistentQueue|QueueDoesNotExist/);
  });

  test.concurrent('the agent names every variable that it lacks', async (context) => {
    const scene = await open(context);
    const agent = scene.start({ PREWARM_BUCKET: '', PREWARM_THREAD_NUMBER: '0' });
    expect((await agent.ended()).code).toBe(1);
    expect(JSON.stringify(agent.lines())).toMatch(/PREWARM_BUCKET.*PREWARM_THREAD_NUMBER/);
  });
});
