import { describe, expect, it } from 'vitest';
import { choosePops, type DomainSuffix, type TargetType } from '../../../core/pops/pop-choice.ts';
import { popCatalogue } from '../../../data/catalogue.ts';

const catalogue = popCatalogue();
const words = (text: string) => text.split(' ');

function choose(targetType: TargetType, names: readonly string[], suffix: DomainSuffix = '.cloudfront.net') {
  return choosePops({ targetType, names }, { catalogue, suffix, field: 'pops' });
}

const popsOf = (targetType: TargetType, names: readonly string[], suffix?: DomainSuffix) =>
  choose(targetType, names, suffix).pops.map(({ pop }) => pop);

const REGIONS: Readonly<Record<string, string>> = {
  apac: 'BOM51-C1 BOM52-C1 ICN51-C1 ICN54-C2 NRT51-P2 NRT57-P3 SIN2-P1 SIN52-C2',
  au: 'SYD1-C1 SYD62-P1',
  ca: 'YUL62-C2 YUL62-C1',
  eu: 'ARN56-P1 ARN54-C1 CDG50-P1 CDG52-P2 DUB2-C1 DUB56-P1 FRA56-P4 FRA60-P1 LHR61-P3 LHR50-P2',
  jp: 'NRT51-P2 NRT57-P3',
  sa: 'GRU1-C2 GRU3-P1',
  us: 'IAD89-P1 IAD89-P2 SFO5-P2 SFO5-P1 DFW56-P1 DFW56-P2',
  cn: 'PVG52-E1 SZX51-E1 BJS9-E1 ZHY50-E1',
};

const COUNTRIES: readonly (readonly [string, string, string])[] = [
  ['india', 'IN', 'BOM78-P1 BOM78-P4'],
  ['japan', 'JP', 'NRT57-P2 NRT57-P3'],
  ['australia', 'AU', 'SYD1-C1 SYD62-P2'],
  ['new_zealand', 'NZ', 'SYD1-C1 SYD62-P2'],
  ['malaysia', 'MY', 'SIN2-P1 SIN2-P2'],
  ['china', 'CN', 'SIN2-P1 SIN2-P2'],
  ['indonesia', 'ID', 'SIN2-P1 SIN2-P2'],
  ['philippines', 'PH', 'SIN2-P1 SIN2-P2'],
  ['singapore', 'SG', 'SIN2-P1 SIN2-P2'],
  ['thailand', 'TH', 'SIN2-P1 SIN2-P2'],
  ['vietnam', 'VN', 'SIN2-P1 SIN2-P2'],
  ['south_korea', 'KR', 'ICN57-P1 ICN57-P2'],
];

describe('the POP catalogue', () => {
  it.each([...Object.entries(REGIONS), ...COUNTRIES.map(([name, , pops]) => [name, pops] as const)])(
    'the POP catalogue lists every default POP of %s with its city, price region and regional edge cache',
    (name, pops) => {
      for (const pop of words(pops)) {
        const description = catalogue.describe(pop);
        expect(description).toMatchObject({ pop, known: true });
        expect(description.city).not.toBe('unknown');
        expect(description.priceRegion).not.toBe('unknown');
        expect(description.regionalEdgeCache).toMatch(name === 'cn' ? /^unknown$/ : /^[a-z]{2}-[a-z]+-\d$/);
      }
    },
  );

  it('the POP catalogue describes an unlisted POP by its airport code', () => {
    expect(catalogue.describe('fra999-p7')).toEqual({
      pop: 'FRA999-P7',
      city: 'Frankfurt am Main',
      country: 'Germany',
      countryCode: 'DE',
      priceRegion: 'europe',
      regionalEdgeCache: 'eu-central-1',
      known: false,
    });
    expect(catalogue.describe('LIM50-P1')).toMatchObject({ city: 'Lima', priceRegion: 'south-america', regionalEdgeCache: 'sa-east-1' });
    expect(catalogue.describe('PEK50-E1')).toMatchObject({ countryCode: 'CN', regionalEdgeCache: 'unknown' });
    expect(catalogue.describe('XQZ1-C1')).toMatchObject({ city: 'unknown', priceRegion: 'unknown', regionalEdgeCache: 'unknown' });
  });

  it('the POP catalogue estimates the listed regional edge cache of every listed POP by its airport code', () => {
    for (const pop of catalogue.names) {
      const unlisted = catalogue.describe(`${pop.slice(0, 3)}987-Z9`);
      expect(unlisted.known).toBe(false);
      expect({ ...unlisted, pop, known: true }).toEqual(catalogue.describe(pop));
    }
  });

  it('the POP catalogue says whether two POPs serve the same city', () => {
    expect(catalogue.sameCity('FRA56-P4', 'FRA60-P1')).toBe(true);
    expect(catalogue.sameCity('FRA56-P4', 'fra2')).toBe(true);
    expect(catalogue.sameCity('XQZ1', 'XQZ2-C1')).toBe(true);
    expect(catalogue.sameCity('BJS9-E1', 'PEK50-E1')).toBe(true);
    expect(catalogue.sameCity('FRA56-P4', 'MUC50-P1')).toBe(false);
    expect(catalogue.sameCity('XQZ1', 'XQY1')).toBe(false);
  });
});

describe('the choice of POPs', () => {
  it.each(Object.entries(REGIONS))('the choice of POPs takes the list of region %s in its order', (region, pops) => {
    expect(popsOf('region', [region])).toEqual(words(pops));
    expect(popsOf('region', [region.toUpperCase()])).toEqual(words(pops));
  });

  it.each(COUNTRIES)('the choice of POPs takes the same list for %s and %s', (name, code, pops) => {
    expect(popsOf('country', [name])).toEqual(words(pops));
    expect(popsOf('country', [code])).toEqual(words(pops));
  });

  it('the choice of POPs reads all, or no names, as every region but China, and as China alone for its distributions', () => {
    const world = [...new Set(Object.entries(REGIONS).flatMap(([region, pops]) => (region === 'cn' ? [] : words(pops))))];
    for (const [type, names] of [
      ['region', ['all']],
      ['region', []],
      ['pop', []],
      ['country', []],
    ] as const) {
      expect(popsOf(type, names).toSorted()).toEqual(world.toSorted());
      expect(popsOf(type, names, '.cloudfront.cn')).toEqual(words(REGIONS['cn'] ?? ''));
      expect(choose(type, names).pops.every(({ named }) => !named)).toBe(true);
    }
  });

  it.each([
    ['germany', 'DE'],
    ['de', 'DE'],
    ['UK', 'GB'],
    ['uk', 'GB'],
    ['United Kingdom', 'GB'],
    ['great-britain', 'GB'],
    ['HONG KONG', 'HK'],
    ['hong_kong', 'HK'],
    ['usa', 'US'],
    ['South Korea', 'KR'],
    ['jp', 'JP'],
    ['china', 'CN'],
  ])('the choice of POPs understands %s as %s', (name, code) => {
    const pops = popsOf('country', [name]);
    expect(pops).not.toEqual([]);
    expect(pops).toEqual(popsOf('country', [code]));
    expect(choose('country', [name]).places).toEqual([{ name, pops }]);
  });

  it('the choice of POPs reports the POPs of each region and country that was named, and of no other', () => {
    expect(choose('region', ['au', 'JP']).places).toEqual([
      { name: 'au', pops: ['SYD1-C1', 'SYD62-P1'] },
      { name: 'JP', pops: ['NRT51-P2', 'NRT57-P3'] },
    ]);
    expect(choose('region', []).places).toEqual([]);
    expect(choose('pop', ['SIN2-P1']).places).toEqual([]);
  });

  it('the choice of POPs names the command-line option of a country', () => {
    const { faults } = choosePops({ targetType: 'pop', names: ['Singapore'] }, { catalogue, suffix: '.cloudfront.net', field: '--pops' });
    expect(faults[0]?.message).toBe('is a country, not a POP; write --countries Singapore');
  });

  it('the choice of POPs in a country falls back to the region defaults, then to one POP of each of its cities', () => {
    expect(popsOf('country', ['US'])).toEqual(words(REGIONS['us'] ?? ''));
    expect(popsOf('country', ['DE'])).toEqual(['FRA56-P4', 'FRA60-P1']);
    const italian = popsOf('country', ['IT']);
    const cities = italian.map((pop) => catalogue.describe(pop).city);
    expect(cities).toEqual([...new Set(cities)]);
    expect(new Set(cities)).toEqual(new Set(catalogue.popsOfCountryCode('IT').map((pop) => catalogue.describe(pop).city)));
  });

  it('the choice of POPs takes well-formed names in any case, listed or not, once each and in their order', () => {
    expect(choose('pop', ['sin2-p1', ' QQQ77-X3', 'PRG50', 'SIN2-P1', 'prg50'])).toEqual({
      pops: [
        { pop: 'SIN2-P1', named: true },
        { pop: 'QQQ77-X3', named: true },
        { pop: 'PRG50', named: true },
      ],
      places: [],
      faults: [],
      omitted: 0,
    });
    expect(choose('country', ['JP', 'japan']).pops).toEqual([
      { pop: 'NRT57-P2', named: false },
      { pop: 'NRT57-P3', named: false },
    ]);
  });

  it.each([
    ['pop', 'SIN2-P', /SIN2-P1/],
    ['pop', 'SIN', /SIN2-P1/],
    ['pop', 'Singapore', /is a country, not a POP; write countries: \["Singapore"\]/],
    ['pop', 'germany', /is a country, not a POP; write countries: \["germany"\]/],
    ['pop', 'frankfurt', /such as FRA/],
    ['pop', 'apac', /is a region, not a POP; write regions: \["apac"\]/],
    ['pop', '', /SIN2-P1/],
    ['pop', 'SIN2-P1;FRA56-P4', /POP/],
    ['pop', 'İST50', /POP/],
    ['pop', `FRA${'1'.repeat(80)}`, /POP/],
    ['region', 'asia', /all, apac, au, ca, eu, jp, sa, us, cn/],
    ['region', '__proto__', /all, apac/],
    ['country', 'united', /may be Great Britain|may be United States \(US\) or United Arab Emirates \(AE\)/],
    ['country', 'korea', /it may be South Korea \(KR\)|known/],
    ['country', 'XX', /no country with a known POP/],
    ['country', 'constructor', /ISO code or a name, as in DE or germany/],
    ['country', '', /ISO code or a name/],
  ] as const)('the choice of POPs judges the %s %j and says what to write', (type, name, remedy) => {
    const { pops, faults } = choose(type, [name]);
    expect(pops).toEqual([]);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.field).toBe('pops');
    expect(faults[0]?.value).toBe(name.slice(0, 200));
    expect(faults[0]?.message).toMatch(remedy);
  });
});
