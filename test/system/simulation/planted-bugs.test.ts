import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { simulate, type SimulationResult } from './simulate.ts';

/** As many as every run of the tests goes through. */
const SEEDS = 500;
const TEST_TIMEOUT_MS = 240_000;

const VIOLATIONS = {
  'count-twice': /targets|over the results of its counted tasks/,
  'overwrite-result': /over the results of its counted tasks|in the report/,
  'end-anyway': /has \d+ of \d+ targets/,
  'acknowledge-first': /nothing goes on any more|the bus was never told of its end/,
  'warm-error-page': /\(error_page\) at \S+ is already_warm|is verified, and no cache/,
} as const;

async function findFailure(bug: (typeof PLANTED_BUGS)[number]): Promise<SimulationResult> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulate(seed, { bug });
    if (result.violations.length > 0) return result;
  }
  return expect.fail(`no seed of ${SEEDS} finds ${bug}`);
}

describe('a bug put in on purpose', () => {
  it.each(PLANTED_BUGS)(
    'one of the 500 seeds finds a planted bug and replays to the same failure: %s',
    async (bug) => {
      const found = await findFailure(bug);
      expect(found.violations.join('\n')).toMatch(VIOLATIONS[bug]);
      const again = await simulate(found.seed, { bug });
      expect(again).toEqual(found);
      const healthy = await simulate(found.seed);
      expect(healthy.violations).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );
});
