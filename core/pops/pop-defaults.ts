import type { PopCatalogue } from './pop-catalogue.ts';

/** POPs that stand for a region or a country. Public knowledge of existing users; their scripts rely on the names. */

const names = (list: string): readonly string[] => list.split(' ');

export const REGION_POPS = {
  apac: names('BOM51-C1 BOM52-C1 ICN51-C1 ICN54-C2 NRT51-P2 NRT57-P3 SIN2-P1 SIN52-C2'),
  au: names('SYD1-C1 SYD62-P1'),
  ca: names('YUL62-C2 YUL62-C1'),
  eu: names('ARN56-P1 ARN54-C1 CDG50-P1 CDG52-P2 DUB2-C1 DUB56-P1 FRA56-P4 FRA60-P1 LHR61-P3 LHR50-P2'),
  jp: names('NRT51-P2 NRT57-P3'),
  sa: names('GRU1-C2 GRU3-P1'),
  us: names('IAD89-P1 IAD89-P2 SFO5-P2 SFO5-P1 DFW56-P1 DFW56-P2'),
  cn: names('PVG52-E1 SZX51-E1 BJS9-E1 ZHY50-E1'),
} as const satisfies Record<string, readonly string[]>;

export type Region = keyof typeof REGION_POPS;

/** Which of the known POPs lie in a region: those of these countries, and those that CloudFront charges by these price regions. */
export const REGION_EXTENTS: Readonly<
  Record<Region, { readonly countryCodes: readonly string[]; readonly priceRegions: readonly string[] }>
> = {
  apac: { countryCodes: [], priceRegions: ['asia-pacific', 'india', 'japan'] },
  au: { countryCodes: ['AU'], priceRegions: [] },
  ca: { countryCodes: ['CA'], priceRegions: [] },
  eu: { countryCodes: [], priceRegions: ['europe'] },
  jp: { countryCodes: ['JP'], priceRegions: [] },
  sa: { countryCodes: [], priceRegions: ['south-america'] },
  us: { countryCodes: ['US'], priceRegions: [] },
  cn: { countryCodes: ['CN'], priceRegions: [] },
};

export const REGION_NAMES: readonly string[] = ['all', ...Object.keys(REGION_POPS)];

const OCEANIA = names('SYD1-C1 SYD62-P2');
const SINGAPORE = names('SIN2-P1 SIN2-P2');

/** By name; `code` is the country's ISO 3166 alpha-2 code, which means the same list. */
export const COUNTRY_POPS: Readonly<Record<string, { readonly code: string; readonly pops: readonly string[] }>> = {
  india: { code: 'IN', pops: names('BOM78-P1 BOM78-P4') },
  japan: { code: 'JP', pops: names('NRT57-P2 NRT57-P3') },
  australia: { code: 'AU', pops: OCEANIA },
  new_zealand: { code: 'NZ', pops: OCEANIA },
  malaysia: { code: 'MY', pops: SINGAPORE },
  china: { code: 'CN', pops: SINGAPORE },
  indonesia: { code: 'ID', pops: SINGAPORE },
  philippines: { code: 'PH', pops: SINGAPORE },
  singapore: { code: 'SG', pops: SINGAPORE },
  thailand: { code: 'TH', pops: SINGAPORE },
  vietnam: { code: 'VN', pops: SINGAPORE },
  south_korea: { code: 'KR', pops: names('ICN57-P1 ICN57-P2') },
};

/** Other common names and codes of countries, by their ISO 3166 alpha-2 code. */
const ALIASES: Readonly<Record<string, string>> = {
  uk: 'GB',
  united_kingdom: 'GB',
  usa: 'US',
  united_states_of_america: 'US',
  uae: 'AE',
  czechia: 'CZ',
  the_netherlands: 'NL',
};

/** No country has a longer name. */
const MAX_NAME = 60;
const HINTS = 5;

/** Case, accents, and what stands between the words do not matter. */
const keyOf = (text: string) => text.trim().toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').replace(/[ _-]/g, '_');

/** What is asked for a country's POPs by: the name of a list, or an ISO code in upper case. Null: it is the name of no country. */
export function findCountryName(text: string, catalogue: PopCatalogue): { readonly list: string } | { readonly code: string } | null {
  if (text.length > MAX_NAME) return null;
  const key = keyOf(text);
  if (Object.hasOwn(COUNTRY_POPS, key)) return { list: key };
  const alias = Object.hasOwn(ALIASES, key) ? ALIASES[key] : undefined;
  if (alias !== undefined) return { code: alias };
  if (/^[a-z]{2}$/.test(key)) return { code: key.toUpperCase() };
  const named = catalogue.countries.find(({ country }) => keyOf(country) === key);
  return named === undefined ? null : { code: named.countryCode };
}

/** Countries that a text may mean because it is a part of their names, as in `Great Britain (GB)`. */
export function similarCountries(text: string, catalogue: PopCatalogue): readonly string[] {
  const key = keyOf(text.slice(0, MAX_NAME));
  if (key.length < 3) return [];
  return catalogue.countries
    .filter(({ country }) => `_${keyOf(country)}`.includes(`_${key}`))
    .slice(0, HINTS)
    .map(({ country, countryCode }) => `${country} (${countryCode})`);
}
