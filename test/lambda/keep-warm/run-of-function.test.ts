import { describe, expect, test } from 'vitest';
import { InvalidInput, PrewarmError } from '../../../core/errors.ts';
import { inputFault } from '../../../core/input-fault.ts';
import { createKeepWarmSender } from '../../../core/keep-warm/keep-warm-sender.ts';
import type { LaneFigures } from '../../../core/keep-warm/tally.ts';
import { isDeadAfterRun } from '../../../core/keep-warm/tally.ts';
import type { PopResolution } from '../../../core/ports/pop-resolver.ts';
import { createKeepWarmHandler } from '../../../lambda/keep-warm/keep-warm-handler.ts';
import { createRouteMemory } from '../../../lambda/keep-warm-routes.ts';
import { createVirtualTime } from '../../../testing/virtual-time.ts';
import { answerOf, fourAddresses, routeOf, sendRun, timedDownloader } from '../../../testing/keep-warm-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4'];

/** One invocation of 58 s whose names are found after `lookUpMs`. */
async function invoke(lookUpMs: (pop: string) => number) {
  const time = createVirtualTime();
  const resolver = {
    async resolvePop(domain: string | null, pop: string): Promise<PopResolution> {
      await new Promise<void>((resolve) => void time.after(lookUpMs(pop), resolve));
      return fourAddresses(POPS).resolvePop(domain, pop);
    },
  };
  const downloader = timedDownloader(time, () => ({ ms: 20, answer: answerOf() }));
  const lines: { level: string; message: string; fields: unknown }[] = [];
  const say = (level: string) => (fields: unknown, message: string) => void lines.push({ level, message, fields });
  const published: LaneFigures[] = [];
  const handler = createKeepWarmHandler({
    claims: { claim: async () => true },
    sender: createKeepWarmSender({ resolver, downloader, clock: time, sameCity: () => true }),
    loadRoutes: async () => [routeOf({ requestsPerPop: 10 })],
    publish: (figures) => void published.push(figures),
    log: { info: say('info'), error: say('error') },
    clock: time,
    claimKey: 'keep-warm test',
  });
  let isDone = false;
  const run = handler({}, { getRemainingTimeInMillis: () => 58_000 }).finally(() => {
    isDone = true;
  });
  await time.run(() => isDone, 3_600_000);
  await run;
  return { lines, dead: published.filter(isDeadAfterRun).map(({ lane }) => lane.pop) };
}

describe('a run of the function', () => {
  test('a run is recorded as kept warm if every request was sent and answered', async () => {
    const { lines, dead } = await invoke(() => 10);
    expect(lines).toMatchObject([{ level: 'info', message: 'kept warm', fields: { requests: 20, good: 20 } }]);
    expect(dead).toEqual([]);
  });

  test('a run is not recorded as kept warm if requests were not sent', async () => {
    const { lines, dead } = await invoke((pop) => (pop === 'FRA56-P4' ? 10_000 : 10));
    expect(lines).toMatchObject([{ level: 'error', message: 'requests were not sent', fields: { unsent: { late: 2 } } }]);
    expect(dead).toEqual([]);
  });

  test('a run counts a POP as silent if it sent nothing through that POP', async () => {
    const { lines, dead } = await invoke((pop) => (pop === 'FRA56-P4' ? 57_500 : 10));
    expect(lines).toMatchObject([
      { level: 'error', message: 'POPs do not answer', fields: { dead: [{ pop: 'FRA56-P4' }], unsent: { late: 10 } } },
    ]);
    expect(dead).toEqual(['FRA56-P4']);
  });
});

test('a failing resolver fails only its own run, also when the run ends before the POP has its turn', async () => {
  const time = createVirtualTime();
  const faults: unknown[] = [];
  const note = (fault: unknown) => void faults.push(fault);
  process.on('unhandledRejection', note);
  const resolver = { resolvePop: (_: string | null, pop: string) => Promise.reject<PopResolution>(new Error(`broken for ${pop}`)) };
  const downloader = timedDownloader(time, () => ({ ms: 20, answer: answerOf() }));
  let isDone = false;
  const run = sendRun(time, { resolver, downloader }, [routeOf({ pops: POPS })]).finally(() => {
    isDone = true;
  });
  run.catch(() => {});
  await time.run(() => isDone, 3_600_000);
  await expect(run).rejects.toThrow('broken for SIN2-P1');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(faults).toEqual([]);
});

test('the function keeps routes that it cannot read again for an hour, and drops wrong ones', async () => {
  let now = 0;
  let outcome: Error | null = null;
  let reads = 0;
  const told: string[] = [];
  const load = createRouteMemory({
    read: async () => {
      reads += 1;
      if (outcome !== null) throw outcome;
      return [routeOf({ requestsPerPop: reads })];
    },
    clock: { now: () => now },
    log: { error: (_fields, message) => void told.push(message) },
  });
  outcome = new PrewarmError('storage', 'the secret cannot be read');
  await expect(load()).rejects.toThrow('the secret cannot be read');
  outcome = null;
  expect(await load()).toMatchObject([{ requestsPerPop: 2 }]);
  now += 9 * 60_000;
  await load();
  expect(reads).toBe(2);
  now += 60_000;
  outcome = new PrewarmError('storage', 'the secret cannot be read');
  expect(await load()).toMatchObject([{ requestsPerPop: 2 }]);
  expect(told).toEqual(['the routes cannot be read again; those of before are kept warm']);
  outcome = null;
  expect(await load()).toMatchObject([{ requestsPerPop: 4 }]);
  now += 600_000;
  outcome = new InvalidInput([inputFault('headersSecret', '', 'holds no headers')]);
  await expect(load()).rejects.toBeInstanceOf(InvalidInput);
  outcome = new PrewarmError('not_found', 'there is no such secret');
  now += 60 * 60_000 - 1;
  expect(await load()).toMatchObject([{ requestsPerPop: 4 }]);
  now += 1;
  await expect(load()).rejects.toThrow('there is no such secret');
});
