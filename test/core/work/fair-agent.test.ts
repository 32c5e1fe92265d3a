import { countRecorded } from '../../../testing/request-rows.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Answer, Ask, Downloader } from '../../../core/ports/downloader.ts';
import { createAgent } from '../../../core/work/agent.ts';
import { createLanes } from '../../../core/work/lanes.ts';
import { systemClock } from '../../../core/clock.ts';
import { advanceAll, answer, makeSpec, openFixture } from '../../../testing/pipeline-fixture.ts';

const SLOW = 'aaaaaaaa-0000-4000-8000-000000000000';
const QUICK = 'bbbbbbbb-0000-4000-8000-000000000000';
const POP = 'SIN2-P1';

const hit = { xCache: 'Hit from cloudfront', servedBy: POP, bodyBytes: 10, contentLength: 10, ttfbMs: 1 };

/** An edge whose one origin has stalled: what is asked for there is answered when it is given up, and not before. */
function stallingEdge(): Downloader & { readonly stalled: () => number } {
  let stalled = 0;
  return {
    stalled: () => stalled,
    ask(ask: Ask): Promise<Answer> {
      if (!ask.url.includes('slow')) return Promise.resolve(answer(hit));
      stalled += 1;
      return new Promise((resolve) => {
        ask.scope.onCancel(() => resolve(answer({ error: 'cancelled', status: 0 })));
      });
    },
    close: async () => undefined,
  };
}

test('a request whose origin stalls does not keep others from its POP, nor the agent from receiving', async () => {
  const { ports, pipeline } = openFixture();
  for (const [id, name] of [
    [SLOW, 'slow'],
    [QUICK, 'quick'],
  ] as const) {
    const urls = Array.from({ length: 80 }, (_, n) => `https://www.example.com/${name}/${n}`);
    await pipeline.accept({ id, spec: makeSpec([POP], { agents: 2 }), urls });
    await advanceAll(pipeline, id);
  }
  const downloader = stallingEdge();
  const agent = createAgent(
    { ...ports, downloader, sameCity: () => false },
    { agentId: 'a', leaseMs: 60_000, beatMs: 100, receiveWaitMs: 50, concurrency: null, random: () => 0.5, load: () => 0.1 },
  );
  const running = agent.run();
  onTestFinished(async () => {
    await agent.stop();
    await running;
  });

  for (let waited = 0; (await countRecorded(ports.store, QUICK)) < 8 && waited < 20_000; waited += 50) await sleep(50);
  expect(await countRecorded(ports.store, QUICK)).toBe(8);
  expect(await countRecorded(ports.store, SLOW)).toBe(0);
  expect(downloader.stalled()).toBeGreaterThan(0);
});

test('lanes are one per request and POP, and go with their request', () => {
  const lanes = createLanes(systemClock, null);
  const lane = lanes.laneOf(SLOW, POP);
  expect(lanes.laneOf(SLOW, POP)).toBe(lane);
  expect(lanes.laneOf(QUICK, POP)).not.toBe(lane);
  lanes.forgetOthers(new Set([SLOW]));
  expect(lanes.laneOf(SLOW, POP)).toBe(lane);
  lanes.forgetOthers(new Set());
  expect(lanes.laneOf(SLOW, POP)).not.toBe(lane);
});
