import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ListPosition, RequestStore } from '../../../core/ports/request-store.ts';
import { countRecorded, counters, planOf, popRow, requestRow, T0, taskRow } from '../../../testing/request-rows.ts';

export interface RequestStoreUnderTest {
  readonly store: RequestStore;
  readonly dispose?: () => void | Promise<void>;
}

/** What every request store does: rows, conditions, and accounting exactly once. */
export function describeRequestStore(name: string, create: () => RequestStoreUnderTest | Promise<RequestStoreUnderTest>): void {
  describe(`${name} as a request store`, () => {
    const pops = ['SIN2-P1', 'FRA56-P4'];
    let under: RequestStoreUnderTest;
    let store: RequestStore;

    beforeEach(async () => {
      under = await create();
      store = under.store;
    });
    afterEach(() => under.dispose?.());

    const started = async (id: string) => {
      await store.create(requestRow(id, { status: 'QUEUEING' }));
      await store.fixPlan(
        id,
        planOf(pops),
        pops.map((pop) => popRow(id, pop)),
        T0 + 1,
      );
      await store.transition(id, 'QUEUEING', 'IN_PROGRESS', T0 + 2, { queuedAt: T0 + 2 });
    };

    it('a request store keeps a request as it was created, and creates it once', async () => {
      const row = requestRow('r1', { invalidations: ['I1'], counters: counters({ warmed: 1 }) });
      expect(await store.create(row)).toBe(true);
      expect(await store.create({ ...row, urlCount: 99 })).toBe(false);
      expect(await store.get('r1')).toEqual(row);
      expect(await store.get('r2')).toBeNull();
    });

    it('a request store lists requests newest first, page by page, each once', async () => {
      const ids = Array.from({ length: 7 }, (_, index) => `r${index}`);
      // Two of the same age: the page's limit may fall between them.
      for (const [index, id] of ids.entries()) await store.create(requestRow(id, { createdAt: T0 + Math.floor(index / 2) }));
      const seen: string[][] = [];
      let after: ListPosition | undefined;
      do {
        const page = await store.list(3, after);
        seen.push(page.requests.map((row) => row.id));
        after = page.next ?? undefined;
      } while (after !== undefined);
      expect(seen.map((page) => page.length)).toEqual([3, 3, 1]);
      expect(seen.flat()[0]).toBe('r6');
      expect(seen.flat().toSorted()).toEqual(ids);
    });

    it('a request store lists the active requests only', async () => {
      await store.create(requestRow('r1', { status: 'SIZING' }));
      await store.create(requestRow('r2', { status: 'FINISHED' }));
      await store.create(requestRow('r3', { status: 'IN_PROGRESS' }));
      expect((await store.listActive()).map((row) => row.id).toSorted()).toEqual(['r1', 'r3']);
    });

    it('a request store lists the figures of each request, and the number of its POPs instead of their names', async () => {
      const { spec, sizing: _sizing, plan: _plan, invalidations: _ids, queuedAt: _at, ...figures } = requestRow('r1');
      const summary = { ...figures, domain: spec.domain, agents: 2, popCount: 2, name: null, notifies: false };
      await store.create(requestRow('r1'));
      expect(await store.listActive()).toEqual([summary]);

      const asked = { ...spec, domain: null, name: 'spring launch', notifyUrl: 'https://hooks.example.com/x' };
      const end = { status: 'STOPPED', statusReason: 'why', endedAt: T0 + 9, counters: counters({ failed: 8 }) } as const;
      await store.create(
        requestRow('r2', { spec: asked, plan: planOf(['SIN2-P1']), madeBy: null, timeoutAt: null, createdAt: T0 + 1, ...end }),
      );
      const ended = {
        ...summary,
        id: 'r2',
        domain: null,
        popCount: 1,
        name: 'spring launch',
        notifies: true,
        madeBy: null,
        timeoutAt: null,
        createdAt: T0 + 1,
        ...end,
      };
      expect((await store.list(10)).requests).toEqual([ended, summary]);
      await store.create(requestRow('r3', { spec: { ...spec, pops: [] }, createdAt: T0 + 2 }));
      expect((await store.list(1)).requests).toMatchObject([{ id: 'r3', popCount: 0 }]);
    });

    it('a request store moves a request on only from the status expected, and changes only the given fields', async () => {
      await store.create(requestRow('r1'));
      expect(await store.transition('r1', 'SIZING', 'QUEUEING', T0 + 5)).toBe(false);
      expect(await store.transition('none', 'CREATED', 'SIZING', T0 + 5)).toBe(false);
      expect(await store.transition('r1', 'CREATED', 'INVALIDATING', T0 + 6, { statusReason: 'why', invalidations: ['I1', 'I2'] })).toBe(
        true,
      );
      expect(await store.transition('r1', 'INVALIDATING', 'SIZING', T0 + 7, { queuedAt: T0 })).toBe(true);
      expect(await store.get('r1')).toEqual(
        requestRow('r1', { status: 'SIZING', statusReason: 'why', invalidations: ['I1', 'I2'], queuedAt: T0, updatedAt: T0 + 7 }),
      );
      await store.transition('r1', 'SIZING', 'QUEUEING', T0 + 8, { statusReason: null });
      expect((await store.get('r1'))?.statusReason).toBeNull();
    });

    it('a request store lets one of two simultaneous transitions win', async () => {
      await store.create(requestRow('r1'));
      const moves = await Promise.all(Array.from({ length: 5 }, () => store.transition('r1', 'CREATED', 'SIZING', T0 + 1)));
      expect(moves.filter(Boolean)).toHaveLength(1);
    });

    it('a request store saves a share of sizing once, and only while SIZING', async () => {
      await store.create(requestRow('r1', { status: 'SIZING' }));
      const next = { parts: 1, offset: 4096, rows: 90, failedRows: 2, bytes: 5e16, done: false };
      expect(await store.saveSizing('r1', 0, next, T0 + 3)).toBe(true);
      expect(await store.saveSizing('r1', 0, { ...next, rows: 7 }, T0 + 4)).toBe(false);
      expect(await store.get('r1')).toMatchObject({ sizing: next, updatedAt: T0 + 3 });
      await store.transition('r1', 'SIZING', 'QUEUEING', T0 + 5);
      expect(await store.saveSizing('r1', 1, { ...next, parts: 2 }, T0 + 6)).toBe(false);
    });

    it('a request store fixes the plan once, with its POP rows, and answers the plan that holds', async () => {
      await store.create(requestRow('r1', { status: 'SIZING' }));
      const plan = planOf(pops);
      const rows = [popRow('r1', 'SIN2-P1'), popRow('r1', 'FRA56-P4', { state: 'pop_unresolvable', addresses: [] })];
      expect(await store.fixPlan('r1', plan, rows, T0 + 1)).toBeNull();
      await store.transition('r1', 'SIZING', 'QUEUEING', T0 + 1);
      expect(await store.fixPlan('r1', plan, rows, T0 + 2)).toEqual(plan);
      expect(await store.fixPlan('r1', planOf(['GRU1-C2'], { totalCount: 1 }), [popRow('r1', 'GRU1-C2')], T0 + 3)).toEqual(plan);
      expect(await store.get('r1')).toMatchObject({ plan, totalCount: 8, totalBytes: 5e16 });
      expect(await store.listPops('r1')).toEqual(rows);
    });

    it('a request store changes time-out and claim of active requests only', async () => {
      await store.create(requestRow('r1'));
      expect(await store.setTimeoutAt('r1', T0 + 9)).toBe(true);
      expect(await store.setRequestClaim('r1', 7)).toBe(true);
      expect(await store.get('r1')).toMatchObject({ timeoutAt: T0 + 9, spec: { ...requestRow('r1').spec, agents: 7 } });
      expect(await store.setTimeoutAt('r1', null)).toBe(true);
      await store.end('r1', 'STOPPED', { ifAccounted: 0, stopped: 0, statusReason: null, at: T0 + 10 });
      expect(await store.setTimeoutAt('r1', T0)).toBe(false);
      expect(await store.setRequestClaim('r1', 1)).toBe(false);
      expect(await store.setRequestClaim('none', 1)).toBe(false);
      expect((await store.get('r1'))?.timeoutAt).toBeNull();
    });

    it('a request store records a task once', async () => {
      await started('r1');
      expect(await store.hasTask('r1', 'SIN2-P1#0#1')).toBe(false);
      expect(await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 2 }))).toBe(true);
      expect(await store.putTask(taskRow('r1', 'SIN2-P1', 1, { failed: 2 }))).toBe(false);
      expect(await store.hasTask('r1', 'SIN2-P1#0#1')).toBe(true);
      expect(await store.hasTask('r2', 'SIN2-P1#0#1')).toBe(false);
      expect(await countRecorded(store, 'r1')).toBeLessThanOrEqual(1);
      await store.countTasks('r1', ['SIN2-P1#0#1'], T0);
      expect(await countRecorded(store, 'r1')).toBe(1);
      expect(await countRecorded(store, 'r2')).toBe(0);
    });

    it('a request store reports how many recorded tasks are not counted, such as those after an end', async () => {
      await started('r1');
      expect(await store.uncountedTasks('r1')).toBe(0);
      await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 2 }));
      await store.putTask(taskRow('r1', 'FRA56-P4', 1, { warmed: 1 }));
      expect(await store.uncountedTasks('r1')).toBe(2);
      const counted = await store.countTasks('r1', ['SIN2-P1#0#1'], T0);
      expect(await store.uncountedTasks('r1')).toBe(1);
      const stopped = (counted?.totalCount ?? 0) - 2;
      await store.end('r1', 'STOPPED', { ifAccounted: 2, stopped, statusReason: null, at: T0 + 1 });
      await store.putTask(taskRow('r1', 'SIN2-P1', 2, { warmed: 1 }));
      await store.countTasks('r1', ['SIN2-P1#0#2', 'FRA56-P4#0#1'], T0 + 2);
      expect(await store.uncountedTasks('r1')).toBe(2);
      expect(await store.uncountedTasks('r2')).toBe(0);
    });

    it('a request store counts each task once, in the request and in its POP, however often it is asked to', async () => {
      await started('r1');
      await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 2, edge_bytes: 5e15, 'first.12': 2 }));
      await store.putTask(taskRow('r1', 'SIN2-P1', 2, { already_warm: 1, edge_bytes: 1 }));
      await store.putTask(taskRow('r1', 'FRA56-P4', 1, { failed: 1, 'reason.status_404': 1 }));
      const ids = ['SIN2-P1#0#1', 'SIN2-P1#0#1', 'FRA56-P4#0#1', 'never#0#1'];
      await Promise.all([store.countTasks('r1', ids, T0 + 5), store.countTasks('r1', ids, T0 + 5)]);
      const row = await store.countTasks('r1', [...ids, 'SIN2-P1#0#2'], T0 + 6);
      const sum = { warmed: 2, already_warm: 1, failed: 1, edge_bytes: 5e15 + 1, 'first.12': 2, 'reason.status_404': 1 };
      expect(row?.counters).toEqual(sum);
      expect(await store.get('r1')).toEqual(row);
      expect((await store.listPops('r1')).find(({ pop }) => pop === 'SIN2-P1')?.counters).toEqual({
        warmed: 2,
        already_warm: 1,
        edge_bytes: 5e15 + 1,
        'first.12': 2,
      });
      expect((await store.listPops('r1')).find(({ pop }) => pop === 'FRA56-P4')?.counters).toEqual({ failed: 1, 'reason.status_404': 1 });
      expect(await store.countedTasks('r1', 'SIN2-P1')).toEqual(new Set(['SIN2-P1#0#1', 'SIN2-P1#0#2']));
      expect(await store.countedTasks('r1', 'GRU1-C2')).toEqual(new Set());
      expect(await store.countTasks('none', ids, T0)).toBeNull();
    });

    it('a request store counts any number of tasks at once, each of them once', async () => {
      await started('r1');
      const tasks = Array.from({ length: 101 }, (_, slice) =>
        taskRow('r1', slice % 2 === 0 ? 'SIN2-P1' : 'FRA56-P4', slice, { warmed: 1 }),
      );
      for (const task of tasks) await store.putTask(task);
      const ids = tasks.map(({ taskId }) => taskId);
      const rows = await Promise.all([store.countTasks('r1', ids, T0 + 5), store.countTasks('r1', ids.toReversed(), T0 + 5)]);
      expect((await store.get('r1'))?.counters).toEqual({ warmed: 101 });
      expect(rows.some((row) => row?.counters.warmed === 101)).toBe(true);
      expect((await store.listPops('r1')).find(({ pop }) => pop === 'SIN2-P1')?.counters).toEqual({ warmed: 51 });
      expect((await store.listPops('r1')).find(({ pop }) => pop === 'FRA56-P4')?.counters).toEqual({ warmed: 50 });
    });

    it('a request store ends a request only with the figures expected, and then nothing changes it', async () => {
      await started('r1');
      await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 3, failed: 1, 'reason.stopped': 1 }));
      await store.putTask(taskRow('r1', 'FRA56-P4', 1, { warmed: 4 }));
      await store.countTasks('r1', ['SIN2-P1#0#1'], T0 + 5);
      const end = { stopped: 4, statusReason: 'cancelled', at: T0 + 6 };
      expect(await store.end('r1', 'STOPPED', { ...end, ifAccounted: 3 })).toBe(false);
      expect(await store.end('r1', 'STOPPED', { ...end, ifAccounted: 4, ifTotal: 9 })).toBe(false);
      expect(await store.end('r1', 'STOPPED', { ...end, ifAccounted: 4, ifTotal: 8 })).toBe(true);
      expect(await store.end('r1', 'TIMEOUT', { ...end, ifAccounted: 8 })).toBe(false);
      const ended = await store.get('r1');
      expect(ended).toMatchObject({ status: 'STOPPED', statusReason: 'cancelled', endedAt: T0 + 6, updatedAt: T0 + 6 });
      expect(ended?.counters).toEqual({ warmed: 3, failed: 5, 'reason.stopped': 5 });
      expect(await store.countTasks('r1', ['FRA56-P4#0#1'], T0 + 7)).toEqual(ended);
      expect(await store.countedTasks('r1', 'FRA56-P4')).toEqual(new Set());
      expect(await store.putTask(taskRow('r1', 'FRA56-P4', 2, { warmed: 1 }))).toBe(true);
      expect(await store.transition('r1', 'IN_PROGRESS', 'QUEUEING', T0 + 8)).toBe(false);
      expect(await store.get('r1')).toEqual(ended);
    });

    it("a request store drops a viewer's secrets from the row of a request that has ended, and from no other", async () => {
      const headers = [
        ['Authorization', 'Bearer token-1'],
        ['accept-encoding', 'gzip, br'],
        ['X-Api-Token', 'token-2'],
      ] as const;
      const spec = {
        ...requestRow('r1').spec,
        variants: [{ name: 'default', headers }],
        notifyUrl: 'https://hooks.example.com/token-3?key=token-4',
      };
      const row = requestRow('r1', { spec });
      await store.create(row);
      await store.dropSecrets('r1');
      expect(await store.get('r1')).toEqual(row);
      await store.end('r1', 'STOPPED', { ifAccounted: 0, stopped: 6, statusReason: null, at: T0 + 1 });
      await store.dropSecrets('r1');
      const dropped = await store.get('r1');
      expect(dropped?.spec).toEqual({
        ...spec,
        variants: [
          {
            name: 'default',
            headers: [
              ['Authorization', ''],
              ['accept-encoding', 'gzip, br'],
              ['X-Api-Token', ''],
            ],
          },
        ],
        notifyUrl: 'https://hooks.example.com/',
      });
      expect(dropped).toMatchObject({ status: 'STOPPED', counters: { failed: 6 } });
      await store.dropSecrets('r1');
      expect(await store.get('r1')).toEqual(dropped);
      await store.dropSecrets('r2');
    });

    it('a request store keeps one provisional row per agent and request, until it counts nothing', async () => {
      const row = { requestId: 'r1', agentId: 'a1', count: 5, bytes: 6e15, rate: 12.5, byteRate: 1.5e9, inFlight: 0, updatedAt: T0 };
      await store.putProvisional(row);
      await store.putProvisional({ ...row, count: 9 });
      await store.putProvisional({ ...row, agentId: 'a2' });
      await store.putProvisional({ ...row, requestId: 'r2' });
      expect(await store.listProvisional('r1')).toEqual([
        { ...row, count: 9 },
        { ...row, agentId: 'a2' },
      ]);
      await store.putProvisional({ ...row, count: 0 });
      expect((await store.listProvisional('r1')).map((each) => each.agentId)).toEqual(['a2']);
    });

    it('a request store keeps the provisional row of an agent that has finished nothing yet, and takes a row without figures', async () => {
      const row = { requestId: 'r1', agentId: 'a1', count: 0, bytes: 0, rate: 0, byteRate: 0, inFlight: 3, updatedAt: T0 };
      await store.putProvisional(row);
      await store.putProvisional({ requestId: 'r1', agentId: 'a2', count: 1, bytes: 0, rate: 0, updatedAt: T0 });
      expect(await store.listProvisional('r1')).toEqual([row, { ...row, agentId: 'a2', count: 1, inFlight: 0 }]);
      await store.putProvisional({ ...row, inFlight: 0 });
      expect((await store.listProvisional('r1')).map((each) => each.agentId)).toEqual(['a2']);
    });

    it("a request store replaces and removes the operator's claim", async () => {
      expect(await store.getOperatorClaim()).toBeNull();
      await store.setOperatorClaim({ agents: 3, lapsesAt: T0 });
      await store.setOperatorClaim({ agents: 5, lapsesAt: T0 + 1 });
      expect(await store.getOperatorClaim()).toEqual({ agents: 5, lapsesAt: T0 + 1 });
      await store.setOperatorClaim(null);
      expect(await store.getOperatorClaim()).toBeNull();
    });

    it('a request store gives an idempotency key to the first that claims it, until it lapses', async () => {
      const claim = { key: 'ci/k', fingerprint: 'a', requestId: 'r1', lapsesAt: T0 + 10 };
      expect(await store.claimIdempotencyKey(claim, T0)).toEqual(claim);
      expect(await store.claimIdempotencyKey({ ...claim, fingerprint: 'b', requestId: 'r2', lapsesAt: T0 + 20 }, T0 + 9)).toEqual(claim);
      expect(await store.claimIdempotencyKey({ ...claim, key: 'other/k', requestId: 'r3' }, T0)).toMatchObject({ requestId: 'r3' });
      const next = { ...claim, fingerprint: 'b', requestId: 'r4', lapsesAt: T0 + 99 };
      expect(await store.claimIdempotencyKey(next, T0 + 10)).toEqual(next);
      const claims = Array.from({ length: 5 }, (_, n) => store.claimIdempotencyKey({ ...claim, key: 'race', requestId: `x${n}` }, T0));
      expect(new Set((await Promise.all(claims)).map(({ requestId }) => requestId)).size).toBe(1);
    });
  });
}
