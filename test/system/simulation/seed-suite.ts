import { expect, it } from 'vitest';
import { simulate } from './simulate.ts';

const SEEDS_A_TEST = 25;
/** A seed takes some 60 ms on one core. */
const TEST_TIMEOUT_MS = 120_000;
/** Every share of the seeds has to meet at least these, or the simulation has become tame. */
const MUST_BE_SEEN = [
  'call_refused',
  'call_unanswered',
  'call_slow',
  'write_stale',
  'crash_at_call',
  'read_cut',
  'message_twice',
  'message_late',
  'message_lost',
  'messages_shuffled',
  'send_cut',
  'delivery_lost',
  'lease_cut',
  'received again',
  'record_again',
  'records_shuffled',
  'record_held',
  'timer_twice',
  'edge_error',
  'edge_5xx',
  'edge_truncated',
  'edge_slow',
  'pop_unresolved',
  'kill',
  'freeze',
  'sigterm',
  'clock_jump',
  'ended FINISHED',
  'ended STOPPED',
  'ended TIMEOUT',
  'ended FAILED',
  'warmed',
  'already_warm',
  'separate',
  'reason.exhausted',
  'reason.pop_unresolvable',
  'reason.address_refused',
  'reason.too_large',
  'reason.not_cached',
  'reason.error_page',
  'reason.challenged',
];

/** Tests that seeds `from` to `to` hold every invariant, and between them meet everything that may go wrong. */
export function testSeeds(from: number, to: number): void {
  const seen = new Set<string>();
  for (let first = from; first <= to; first += SEEDS_A_TEST) {
    const last = Math.min(to, first + SEEDS_A_TEST - 1);
    it(
      `seeds ${first} to ${last} hold every invariant`,
      async () => {
        const failures: string[] = [];
        for (let seed = first; seed <= last; seed++) {
          const result = await simulate(seed);
          for (const what of [...result.seen.keys(), ...result.outcomes.keys()]) seen.add(what);
          for (const violation of result.violations) {
            failures.push(`${violation} (replay: node test/system/simulation/main.ts --seed ${seed} --trace)`);
          }
        }
        expect(failures).toEqual([]);
      },
      TEST_TIMEOUT_MS,
    );
  }
  it(`seeds ${from} to ${to} meet every fault and every way of ending`, () => {
    expect(MUST_BE_SEEN.filter((what) => !seen.has(what))).toEqual([]);
  });
}
