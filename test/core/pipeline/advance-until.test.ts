import { expect, test } from 'vitest';
import { type AdvanceBudget, advanceUntil } from '../../../core/pipeline/advance-request.ts';
import { ACTIVE_STATUSES } from '../../../core/request/request.ts';
import { getRow, ID, makeSpec, makeUrls, openFixture } from '../../../testing/pipeline-fixture.ts';

const ENDLESS: AdvanceBudget = { statuses: ACTIVE_STATUSES, allows: () => true, isHalted: () => false };

async function openRequest(change = {}) {
  const fixture = openFixture({}, { shareUrls: 2 });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['FRA56-P1'], change), urls: makeUrls(5) });
  return { ...fixture, work: { store: fixture.ports.store, pipeline: fixture.pipeline } };
}

test('a request is advanced until its tasks are out', async () => {
  const { work, ports } = await openRequest();
  expect((await advanceUntil(work, ID, ENDLESS)).rest).toBeNull();
  expect((await getRow(ports)).status).toBe('IN_PROGRESS');
});

test('a budget of one share leaves the rest, and leaving CREATED costs none of it', async () => {
  const { work, ports } = await openRequest();
  const { row, rest } = await advanceUntil(work, ID, { ...ENDLESS, allows: (shares) => shares < 1 });
  expect(rest).toEqual({ shares: 1, inMs: 0 });
  expect(row?.status).toBe('SIZING');
  expect((await getRow(ports)).sizing.rows).toBe(2);
});

test('a status that is not the caller’s ends the work with nothing left over', async () => {
  const { work, ports } = await openRequest();
  const { row, rest } = await advanceUntil(work, ID, { ...ENDLESS, statuses: ['CREATED', 'SIZING'], allows: () => true });
  expect([row?.status, rest]).toEqual(['QUEUEING', null]);
  expect((await getRow(ports)).status).toBe('QUEUEING');
});

test('a pause that the request asks for reaches the budget', async () => {
  const { work } = await openRequest();
  const pauses: number[] = [];
  const pipeline = { advance: async () => ({ next: 'later', inMs: 1234 }) as const };
  const allows = (_: number, inMs: number) => pauses.push(inMs) < 3;
  const { rest } = await advanceUntil({ ...work, pipeline }, ID, { ...ENDLESS, allows });
  expect(pauses).toEqual([0, 1234, 1234]);
  expect(rest?.inMs).toBe(1234);
});

test('nothing is no answer of work that was broken off, so that the rest is left over', async () => {
  const { work } = await openRequest();
  let isHalted = false;
  const pipeline = {
    advance: async () => {
      isHalted = true;
      return { next: 'nothing' } as const;
    },
  };
  const { rest } = await advanceUntil({ ...work, pipeline }, ID, { ...ENDLESS, allows: () => !isHalted, isHalted: () => isHalted });
  expect(rest).toEqual({ shares: 0, inMs: 0 });
});

test('a request that is not there leaves nothing', async () => {
  const { work } = await openRequest();
  expect(await advanceUntil(work, 'no-such-request', ENDLESS)).toEqual({ row: null, rest: null });
});
