import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRecent } from '../../server/app/remember.ts';
import type { RequestRow } from '../../core/request/request.ts';
import { requestRow } from '../../testing/request-rows.ts';

const rowOf = (id: string, status: RequestRow['status']): RequestRow => requestRow(id, { status });

test('all who ask during work of more than a second share that work', async () => {
  let now = 0;
  let runs = 0;
  const { promise, resolve } = Promise.withResolvers<object>();
  const recent = createRecent({ now: () => now }, () => {
    runs += 1;
    return promise;
  });
  const row = rowOf('a', 'IN_PROGRESS');
  const asked = [];
  for (let poll = 0; poll < 8; poll++) {
    asked.push(recent(row));
    now += 1000;
    await sleep(0);
  }
  expect(runs).toBe(1);
  const answer = { urls: ['x'] };
  resolve(answer);
  expect(new Set(await Promise.all(asked))).toEqual(new Set([answer]));
  expect(runs).toBe(1);
  // What was worked out is good for a second from then on.
  await recent(row);
  expect(runs).toBe(1);
  now += 1001;
  await recent(row);
  expect(runs).toBe(2);
});

test('failed work is done again, and the work of an ended request is kept for good', async () => {
  let now = 0;
  let runs = 0;
  const recent = createRecent({ now: () => now }, async () => {
    runs += 1;
    if (runs === 1) throw new Error('lost');
    return { runs };
  });
  const row = rowOf('a', 'FINISHED');
  await expect(recent(row)).rejects.toThrow('lost');
  expect(await recent(row)).toEqual({ runs: 2 });
  now += 10 * 24 * 60 * 60_000;
  expect(await recent(row)).toEqual({ runs: 2 });
});

test('at most two pieces of work run at once, and the length of the kept results is bounded', async () => {
  let under = 0;
  let most = 0;
  let runs = 0;
  const recent = createRecent({ now: () => 0 }, async () => {
    runs += 1;
    most = Math.max(most, ++under);
    await sleep(1);
    under -= 1;
    return { urls: [String(runs).repeat(3 * 1024 * 1024)] };
  });
  const rows = Array.from({ length: 12 }, (_, n) => rowOf(String(n), 'FINISHED'));
  await Promise.all(rows.map(recent));
  expect({ most, runs }).toEqual({ most: 2, runs: 12 });
  await Promise.all(rows.toReversed().map(recent));
  // The newest that fit into 16 Mi characters were kept.
  expect(runs).toBeGreaterThan(12);
  expect(runs).toBeLessThan(24);
});
