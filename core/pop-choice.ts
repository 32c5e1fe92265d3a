import { type InputFault, MAX_FAULTS_TOLD } from './errors.ts';
import { inputFault } from './input-fault.ts';
import type { PopCatalogue } from './pop-catalogue.ts';
import { COUNTRY_POPS, REGION_NAMES, REGION_POPS, type Region } from './pop-defaults.ts';
import type { ChosenPop } from './request.ts';

export const TARGET_TYPES = ['pop', 'country', 'region'] as const;
export type TargetType = (typeof TARGET_TYPES)[number];

/** Where to warm, as the user put it. No names: the default POPs. */
export interface PopQuestion {
  readonly targetType: TargetType;
  readonly names: readonly string[];
}

/** What the default POPs depend on: distributions in China are served by the POPs there, and by no others. */
export type DomainSuffix = '.cloudfront.net' | '.cloudfront.cn';

export interface PopChoice {
  /** Without duplicates, in the order of the names. */
  readonly pops: readonly ChosenPop[];
  /** The first ones; `omitted` counts the others. */
  readonly faults: readonly InputFault[];
  readonly omitted: number;
}

/** More than CloudFront has. Each POP of a request costs a row, a name to resolve and tasks. */
export const MAX_POPS = 1000;
/** Names of a list are looked at one by one, in one piece; a list may name a POP more than once. */
const MAX_NAMES = 10 * MAX_POPS;

export const POP_NAME = /^[A-Z]{3}\d+(-[A-Z]\d+)?$/;
// The longest known name has 9 characters; anything much longer is no POP, and would not fit into a DNS label.
const MAX_POP_NAME = 32;
const HINTS = 3;
const MAX_TYPOS = 3;
/** Names that a hint is looked for; one compares the name with every POP there is. */
const NAMES_WITH_HINT = 3;

type Lookup = readonly string[] | { readonly fault: string };

/** Single-character edits that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Up to three of `known` that the user may have meant. */
function nearestNames(text: string, known: readonly string[]): readonly string[] {
  if (text.length > MAX_POP_NAME) return [];
  return known
    .map((name) => ({ name, distance: editDistance(text, name) }))
    .filter(({ name, distance }) => distance <= Math.min(MAX_TYPOS, name.length - 1))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, HINTS)
    .map(({ name }) => name);
}

const POP_FORM = 'write an airport code, digits, then usually a dash, a letter and digits, as in SIN2-P1 or FRA56-P4';

function popHint(text: string, catalogue: PopCatalogue): string {
  const city = text.toLowerCase().replaceAll('_', ' ');
  const isOfCity = (name: string) => city.length > 3 && catalogue.describe(name).city.toLowerCase().startsWith(city);
  const ofCity = catalogue.names.filter((name) => text === name.slice(0, 3) || isOfCity(name));
  const near = ofCity.length > 0 ? ofCity.slice(0, HINTS) : nearestNames(text, catalogue.names);
  if (near.length > 0) return `write a POP name such as ${near.join(', ')}`;
  return POP_FORM;
}

const isPop = (name: string) => name.length <= MAX_POP_NAME && POP_NAME.test(name);

function findPop(text: string, catalogue: PopCatalogue, withHint: boolean): Lookup {
  const name = text.toUpperCase();
  if (isPop(name)) return [name];
  const lower = text.toLowerCase();
  if (REGION_NAMES.includes(lower)) return { fault: `is a region, not a POP; ask for it as a region` };
  if (Object.hasOwn(COUNTRY_POPS, lower)) return { fault: `is a country, not a POP; ask for it as a country` };
  return { fault: `is not the name of a POP; ${withHint ? popHint(name, catalogue) : POP_FORM}` };
}

function findRegion(text: string, suffix: DomainSuffix): Lookup {
  const name = text.toLowerCase();
  if (name === 'all') {
    const china: readonly string[] = REGION_POPS.cn;
    if (suffix === '.cloudfront.cn') return china;
    return Object.values(REGION_POPS)
      .flat()
      .filter((pop) => !china.includes(pop));
  }
  if (Object.hasOwn(REGION_POPS, name)) return REGION_POPS[name as Region];
  return { fault: `is not a region; write one of ${REGION_NAMES.join(', ')}` };
}

function popsOfCode(code: string, catalogue: PopCatalogue): readonly string[] {
  const country = Object.values(COUNTRY_POPS).find((row) => row.code === code);
  if (country !== undefined) return country.pops;
  const defaults = Object.values(REGION_POPS)
    .flat()
    .filter((pop) => catalogue.describe(pop).countryCode === code);
  if (defaults.length > 0) return defaults;
  const byCity = new Map<string, string>();
  for (const pop of catalogue.popsOfCountryCode(code)) {
    const { city } = catalogue.describe(pop);
    if (!byCity.has(city)) byCity.set(city, pop);
  }
  return [...byCity.values()];
}

function popsOfCountry(text: string, catalogue: PopCatalogue): readonly string[] {
  const name = text.toLowerCase();
  const listed = Object.hasOwn(COUNTRY_POPS, name) ? COUNTRY_POPS[name] : undefined;
  if (listed !== undefined) return listed.pops;
  return /^[A-Z]{2}$/.test(text) ? popsOfCode(text, catalogue) : [];
}

function findCountry(text: string, catalogue: PopCatalogue, withHint: boolean): Lookup {
  const name = text.toLowerCase();
  const pops = popsOfCountry(text, catalogue);
  if (pops.length > 0) return pops;
  if (!withHint) return { fault: 'is not a country; write an ISO code such as JP or DE' };
  const code = text.toUpperCase();
  if (text !== code && /^[A-Z]{2}$/.test(code) && popsOfCode(code, catalogue).length > 0) {
    return { fault: `is not a country; country codes are written in upper case: ${code}` };
  }
  const byName = catalogue.names
    .map((pop) => catalogue.describe(pop))
    .find((pop) => pop.country.toLowerCase() === name.replaceAll('_', ' '));
  if (byName !== undefined) return { fault: `is not a country name that is known here; write its code, ${byName.countryCode}` };
  const rule = `write an ISO code such as JP or DE, or one of ${Object.keys(COUNTRY_POPS).join(', ')}`;
  if (/^[A-Z]{2}$/.test(text)) return { fault: `is no country with a known POP; name POPs near it instead, or ${rule}` };
  return { fault: `is not a country; ${rule}` };
}

/** The names without blanks around them, each once; null: there are more than any request can have. */
function distinctNames(targetType: TargetType, names: readonly string[]): readonly string[] | null {
  const distinct = new Map<string, string>();
  for (const raw of names) {
    const text = raw.trim();
    // Codes of countries are told from their names by the case.
    const key = targetType === 'country' ? text : text.toUpperCase();
    if (distinct.has(key)) continue;
    if (distinct.size === MAX_POPS) return null;
    distinct.set(key, raw);
  }
  return [...distinct.values()];
}

function tooMany(field: string): PopChoice {
  const message = `names more than ${MAX_POPS} different POPs or places, the most that one request takes; make several requests`;
  return { pops: [], faults: [inputFault(field, '', message)], omitted: 0 };
}

function tooLong(field: string, names: number): PopChoice {
  return { pops: [], faults: [inputFault(field, '', `holds ${names} names; write each place once`)], omitted: 0 };
}

/** The POPs a question means, and a fault for every name that means none. */
export function choosePops(question: PopQuestion, context: { catalogue: PopCatalogue; suffix: DomainSuffix; field: string }): PopChoice {
  const { catalogue, suffix, field } = context;
  if (question.names.length > MAX_NAMES) return tooLong(field, question.names.length);
  const usesDefaults = question.names.length === 0;
  const targetType = usesDefaults ? 'region' : question.targetType;
  const names = usesDefaults ? ['all'] : distinctNames(targetType, question.names);
  if (names === null) return tooMany(field);
  const pops = new Set<string>();
  const faults: InputFault[] = [];
  let wrong = 0;
  for (const raw of names) {
    const text = raw.trim();
    const withHint = wrong < NAMES_WITH_HINT;
    const found =
      targetType === 'pop'
        ? findPop(text, catalogue, withHint)
        : targetType === 'region'
          ? findRegion(text, suffix)
          : findCountry(text, catalogue, withHint);
    if (!('fault' in found)) for (const pop of found) pops.add(pop);
    else if (wrong++ < MAX_FAULTS_TOLD) faults.push(inputFault(field, raw, found.fault));
  }
  if (pops.size > MAX_POPS) return tooMany(field);
  return { pops: [...pops].map((pop) => ({ pop, named: targetType === 'pop' })), faults, omitted: wrong - faults.length };
}

/** Whether a name is one of this kind. Some names are of two: `JP` is a region and a country. */
export function isNameOf(targetType: TargetType, name: string, catalogue: PopCatalogue): boolean {
  const text = name.trim();
  if (targetType === 'pop') return isPop(text.toUpperCase());
  if (targetType === 'region') return REGION_NAMES.includes(text.toLowerCase());
  return popsOfCountry(text, catalogue).length > 0;
}
