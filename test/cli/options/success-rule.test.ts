import { describe, expect, test } from 'vitest';
import { describeLeftOut } from '../../../cli/print/left-out.ts';
import { exitCodeOf, readSuccessRule } from '../../../cli/options/success-rule.ts';
import type { InputFault } from '../../../core/errors.ts';
import { progressWith } from '../print/progress-fixture.ts';

const DONE = progressWith({ status: 'FINISHED', total_count: 1000, download_count: 1000, chosen_pop_count: 10 });
const partly = { ...DONE, download_count: 990, failed_count: 10 };
const without = (count: number) => ({ ...DONE, skipped_pops: Array.from({ length: count }, (_, at) => `FRA${at}-P1`) });

function judge(progress: typeof DONE, raw: Readonly<Record<string, unknown>> = {}): number {
  const faults: InputFault[] = [];
  const rule = readSuccessRule(raw, faults);
  expect(faults).toEqual([]);
  return exitCodeOf(progress, rule);
}

describe('the exit code of a request that has ended', () => {
  test('the exit code is 0 if every target is warm, and 1 if one is not', () => {
    expect(judge(DONE)).toBe(0);
    expect(judge(partly)).toBe(1);
  });

  test('the exit code is 1 unless the request has FINISHED, however much is warm', () => {
    for (const status of ['TIMEOUT', 'STOPPED', 'FAILED'] as const) expect(judge({ ...DONE, status }, { minSuccess: '1%' })).toBe(1);
  });

  test.each([
    ['99%', 0],
    ['99', 0],
    ['99.0%', 0],
    ['99.001%', 1],
    ['100%', 1],
    ['0.001', 0],
  ] as const)('the exit code follows the exact percentage that --min-success %s asks for', (minSuccess, code) => {
    expect(judge(partly, { minSuccess })).toBe(code);
  });

  test('the exit code allows that up to half of the POPs are left out, and none with --strict', () => {
    expect(judge(without(5))).toBe(0);
    expect(judge(without(6))).toBe(1);
    expect(judge(without(1), { strict: true })).toBe(1);
    expect(judge(DONE, { strict: true })).toBe(0);
  });

  test('the exit code is 1 where a named place has no POP left, whatever --min-success says', () => {
    expect(judge({ ...without(1), lost_places: ['DE'] })).toBe(1);
    expect(judge({ ...without(1), lost_places: ['DE'] }, { minSuccess: '1%' })).toBe(1);
    expect(judge(without(6), { minSuccess: '1%' })).toBe(1);
  });
});

test.each(['0', '0%', '101%', '100.001%', '-1', 'x', '', '1e2', '99,5', '99%%'])(
  'the success rule refuses --min-success %j',
  (minSuccess) => {
    const faults: InputFault[] = [];
    readSuccessRule({ minSuccess }, faults);
    expect(faults).toMatchObject([{ field: '--min-success', message: 'write a percentage above 0 and up to 100, as in 99% or 99.5%' }]);
  },
);

test('a command that does not wait for the end refuses options that judge the end', () => {
  const faults: InputFault[] = [];
  readSuccessRule({ minSuccess: '99%', strict: true }, faults, false);
  expect(faults.map(({ field, message }) => [field, message])).toEqual([
    ['--min-success', expect.stringContaining('add --wait')],
    ['--strict', expect.stringContaining('add --wait')],
  ]);
});

describe('what is told of POPs that were left out', () => {
  test('the note on POPs is empty when no POP was left out', () => {
    expect(describeLeftOut(DONE)).toBe('');
  });

  test('the note on POPs counts the warm ones, names the others, and names the lost places', () => {
    expect(describeLeftOut({ ...DONE, skipped_pops: ['FRA56-P4', 'FRA60-P1'], lost_places: ['DE'] })).toBe(
      ', at 8 of 10 POPs; 2 have no address: FRA56-P4, FRA60-P1; no POP is left of DE',
    );
    expect(describeLeftOut({ ...without(12), chosen_pop_count: 30 })).toContain('; 12 have no address: FRA0-P1,');
    expect(describeLeftOut({ ...without(12), chosen_pop_count: 30 })).toMatch(/ and 2 more$/);
  });
});
