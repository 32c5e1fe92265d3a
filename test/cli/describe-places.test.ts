import { expect, test } from 'vitest';
import { describePlaces } from '../../cli/describe-places.ts';
import { choosePops, type TargetType } from '../../core/pop-choice.ts';
import { popCatalogue } from '../../data/catalogue.ts';

function told(targetType: TargetType, names: readonly string[]): readonly string[] {
  const catalogue = popCatalogue();
  const { places } = choosePops({ targetType, names }, { catalogue, suffix: '.cloudfront.net', field: '--countries' });
  return describePlaces(places, targetType, catalogue);
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

test('a country that others stand for says so', () => {
  expect(told('country', ['china', 'VN'])).toEqual([
    'china: 0 of 4 known POPs, and others that stand for it: SIN2-P1, SIN2-P2',
    'VN: no POP is known there; SIN2-P1, SIN2-P2 stand for it',
  ]);
});

test('POPs by name and the default ones say nothing, and many places are counted', () => {
  expect(told('pop', ['SIN2-P1'])).toEqual([]);
  expect(told('region', [])).toEqual([]);
  const codes = popCatalogue().countries.map(({ countryCode }) => countryCode);
  expect(told('country', codes).at(-1)).toBe(`and ${codes.length - 10} more places`);
});
