import { expect, test } from 'vitest';
import { describePlaces } from '../../../cli/print/describe-places.ts';
import type { DomainSuffix } from '../../../core/pops/pop-choice.ts';
import { choosePops, type TargetType } from '../../../core/pops/pop-choice.ts';
import { popCatalogue } from '../../../data/catalogue.ts';

function told(targetType: TargetType, names: readonly string[], suffix: DomainSuffix = '.cloudfront.net'): readonly string[] {
  const catalogue = popCatalogue();
  const question = { targetType, names };
  return describePlaces(choosePops(question, { catalogue, suffix, field: '--countries' }), question, catalogue);
}

test('a country and a region say how many of their known POPs they take', () => {
  expect(told('country', ['DE', 'usa'])).toEqual([
    'DE: 2 of 21 known POPs: FRA56-P4, FRA60-P1',
    'usa: 6 of 86 known POPs: IAD89-P1, IAD89-P2, SFO5-P2, SFO5-P1, DFW56-P1, DFW56-P2',
  ]);
  expect(told('region', ['au', 'eu'])).toEqual([
    'au: 2 of 9 known POPs: SYD1-C1, SYD62-P1',
    expect.stringMatching(/^eu: 10 of 92 known POPs: ARN56-P1, /),
  ]);
});

test('the description of a country says which POPs stand for it', () => {
  expect(told('country', ['china', 'VN'])).toEqual([
    'china: 0 of 4 known POPs, and others that stand for it: SIN2-P1, SIN2-P2',
    'VN: no POP is known there; SIN2-P1, SIN2-P2 stand for it',
  ]);
});

test('the description of the default POPs counts them and all known POPs, also for a distribution in China', () => {
  const known = popCatalogue().names.length;
  const [line = '', ...more] = told('pop', []);
  expect(more).toEqual([]);
  const [, count = '', listed = ''] = /^default POPs: (\d+) of \d+ known POPs: (.*) and \d+ more$/.exec(line) ?? [];
  expect(line).toContain(` of ${known} known POPs: `);
  expect(Number(count)).toBeGreaterThanOrEqual(28);
  expect(listed.split(', ')).toHaveLength(10);
  expect(told('pop', [], '.cloudfront.cn')).toEqual([`default POPs: 4 of ${known} known POPs: PVG52-E1, SZX51-E1, BJS9-E1, ZHY50-E1`]);
});

test('the description says nothing of POPs by name, and counts places when there are many', () => {
  expect(told('pop', ['SIN2-P1'])).toEqual([]);
  const codes = popCatalogue().countries.map(({ countryCode }) => countryCode);
  expect(told('country', codes).at(-1)).toBe(`and ${codes.length - 10} more places`);
});
