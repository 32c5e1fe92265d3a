import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createAgentLog } from '../../agent/agent-log.ts';
import type { LogFields } from '../../core/ports/log.ts';
import { createBusyMarkers, createScaleInProtection } from '../../agent/scale-in-protection.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

/** A group that takes calls in any order, as their answers may come in any. */
function createGroup() {
  const group = {
    isProtected: false,
    calls: 0,
    failing: 0,
    pending: 0,
    protect: async (on: boolean) => {
      group.calls += 1;
      group.pending += 1;
      await sleep(Math.random() * 4);
      const fails = group.failing > 0;
      if (fails) group.failing -= 1;
      else group.isProtected = on;
      await sleep(Math.random() * 4);
      group.pending -= 1;
      if (fails) throw new Error('Throttling');
      return true;
    },
  };
  return group;
}

const lines: LogFields[] = [];
const log = createAgentLog((line) => lines.push(JSON.parse(line) as LogFields));

test('the agents of an instance agree on its protection, in whatever order their calls take effect', async () => {
  const dir = temporaryDir();
  for (let round = 0; round < 40; round++) {
    const group = createGroup();
    const agents = [1, 2, 3].map((number) =>
      createScaleInProtection(createBusyMarkers(join(dir, String(round)), number), group.protect, log, 1),
    );
    const held = agents.map(() => 0);
    for (let step = 0; step < 12; step++) {
      const one = Math.floor(Math.random() * 3);
      held[one] = Math.random() < 0.5 ? 0 : 2;
      agents[one]?.held(held[one] ?? 0);
      await sleep(Math.random() * 5);
    }
    do await sleep(12);
    while (group.pending > 0);
    expect(group.isProtected).toBe(held.some((tasks) => tasks > 0));
  }
});

test('short tasks in a row are one busy spell of two calls', async () => {
  const group = createGroup();
  const protection = createScaleInProtection(createBusyMarkers(null, 1), group.protect, log, 60);
  for (let task = 0; task < 20; task++) {
    protection.held(1);
    protection.held(0);
    await sleep(3);
  }
  expect(group.isProtected).toBe(true);
  await protection.leave();
  expect({ isProtected: group.isProtected, calls: group.calls }).toEqual({ isProtected: false, calls: 2 });
});

test('a failed call is logged, and the agent continues', async () => {
  const group = createGroup();
  group.failing = 1;
  const protection = createScaleInProtection(createBusyMarkers(null, 1), group.protect, log, 60);
  protection.held(1);
  while (group.pending > 0) await sleep(5);
  await sleep(5);
  expect(lines.at(-1)).toMatchObject({ level: 'warn', event: 'scale_in_protection_failed', error: ['Error: Throttling'] });
  await protection.leave();
});

test('the process that replaces a killed agent removes the marker of that agent', async () => {
  const dir = temporaryDir();
  createBusyMarkers(dir, 1).set(true);
  const group = createGroup();
  group.isProtected = true;
  createScaleInProtection(createBusyMarkers(dir, 1), group.protect, log, 60);
  while (group.calls === 0 || group.pending > 0) await sleep(5);
  expect(group.isProtected).toBe(false);
});
