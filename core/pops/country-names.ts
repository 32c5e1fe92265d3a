import type { PopCatalogue } from './pop-catalogue.ts';
import { COUNTRY_POPS } from './pop-defaults.ts';

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
