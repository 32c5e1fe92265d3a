import { COUNTRY_POPS, findCountryName, type Region, REGION_EXTENTS, REGION_NAMES, REGION_POPS, similarCountries } from './pop-defaults.ts';
import { type InputFault, MAX_FAULTS_TOLD } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from './pop-catalogue.ts';
import type { ChosenPop, ChosenPlace } from '../request/request.ts';

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
  /** Regions and countries that were named, each with its POPs. */
  readonly places: readonly ChosenPlace[];
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

/** How a name is asked for by another list: `--countries Singapore`, or `countries: ["Singapore"]` in a body. */
const askedBy = (field: string, list: 'countries' | 'regions', text: string) =>
  field.startsWith('--') ? `--${list} ${JSON.stringify(text).slice(1, -1)}` : `${list}: [${JSON.stringify(text)}]`;

function findPop(text: string, { catalogue, field }: ChoiceContext, withHint: boolean): Lookup {
  const name = text.toUpperCase();
  if (isPop(name)) return [name];
  const lower = text.toLowerCase();
  if (REGION_NAMES.includes(lower)) return { fault: `is a region, not a POP; write ${askedBy(field, 'regions', lower)}` };
  if (popsOfCountry(text, catalogue).length > 0) return { fault: `is a country, not a POP; write ${askedBy(field, 'countries', text)}` };
  return { fault: `is not the name of a POP; ${withHint ? popHint(name, catalogue) : POP_FORM}` };
}

function findRegion(text: string, { suffix }: ChoiceContext): Lookup {
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
  const found = findCountryName(text, catalogue);
  if (found === null) return [];
  return 'list' in found ? (COUNTRY_POPS[found.list]?.pops ?? []) : popsOfCode(found.code, catalogue);
}

const COUNTRY_FORM = 'write an ISO code or a name, as in DE or germany';

function findCountry(text: string, { catalogue }: ChoiceContext, withHint: boolean): Lookup {
  const pops = popsOfCountry(text, catalogue);
  if (pops.length > 0) return pops;
  if (!withHint) return { fault: `is not a country; ${COUNTRY_FORM}` };
  if (findCountryName(text, catalogue) !== null) return { fault: 'is no country with a known POP; name POPs near it instead (--pops)' };
  const similar = similarCountries(text, catalogue);
  return { fault: similar.length > 0 ? `is not a country; it may be ${similar.join(' or ')}` : `is not a country; ${COUNTRY_FORM}` };
}

/** The names without blanks around them, each once; null: there are more than any request can have. */
function distinctNames(names: readonly string[]): readonly string[] | null {
  const distinct = new Map<string, string>();
  for (const raw of names) {
    const text = raw.trim();
    const key = text.toUpperCase();
    if (distinct.has(key)) continue;
    if (distinct.size === MAX_POPS) return null;
    distinct.set(key, raw);
  }
  return [...distinct.values()];
}

function tooMany(field: string): PopChoice {
  const message = `names more than ${MAX_POPS} different POPs or places, the most that one request takes; make several requests`;
  return { pops: [], places: [], faults: [inputFault(field, '', message)], omitted: 0 };
}

function tooLong(field: string, names: number): PopChoice {
  return { pops: [], places: [], faults: [inputFault(field, '', `holds ${names} names; write each place once`)], omitted: 0 };
}

interface ChoiceContext {
  readonly catalogue: PopCatalogue;
  readonly suffix: DomainSuffix;
  /** What the list of names is called where the user wrote it. */
  readonly field: string;
}

const FIND = { pop: findPop, region: findRegion, country: findCountry } as const;

/** The POPs a question means, and a fault for every name that means none. */
export function choosePops(question: PopQuestion, context: ChoiceContext): PopChoice {
  const { field } = context;
  if (question.names.length > MAX_NAMES) return tooLong(field, question.names.length);
  const usesDefaults = question.names.length === 0;
  const targetType = usesDefaults ? 'region' : question.targetType;
  const names = usesDefaults ? ['all'] : distinctNames(question.names);
  if (names === null) return tooMany(field);
  const pops = new Set<string>();
  const places: ChosenPlace[] = [];
  const faults: InputFault[] = [];
  let wrong = 0;
  for (const raw of names) {
    const text = raw.trim();
    const found = FIND[targetType](text, context, wrong < NAMES_WITH_HINT);
    if (!('fault' in found)) {
      for (const pop of found) pops.add(pop);
      if (targetType !== 'pop' && !usesDefaults) places.push({ name: text, pops: found });
    } else if (wrong++ < MAX_FAULTS_TOLD) faults.push(inputFault(field, raw, found.fault));
  }
  if (pops.size > MAX_POPS) return tooMany(field);
  return { pops: [...pops].map((pop) => ({ pop, named: targetType === 'pop' })), places, faults, omitted: wrong - faults.length };
}

/** The known POPs that lie in a region or a country, whether they are chosen by its name or not. */
export function knownPopsOf(targetType: TargetType, name: string, catalogue: PopCatalogue): readonly string[] {
  const isIn = extentOf(targetType, name, catalogue);
  return catalogue.names.filter((pop) => isIn(catalogue.describe(pop)));
}

/** Whether what is described lies in the place. */
export function extentOf(
  targetType: TargetType,
  name: string,
  catalogue: PopCatalogue,
): (place: { readonly countryCode: string; readonly priceRegion: string }) => boolean {
  if (targetType === 'region') {
    const region = name.toLowerCase();
    if (!Object.hasOwn(REGION_EXTENTS, region)) return () => true;
    const { countryCodes, priceRegions } = REGION_EXTENTS[region as Region];
    return ({ countryCode, priceRegion }) => countryCodes.includes(countryCode) || priceRegions.includes(priceRegion);
  }
  const found = findCountryName(name, catalogue);
  const code = found === null ? null : 'code' in found ? found.code : COUNTRY_POPS[found.list]?.code;
  return ({ countryCode }) => countryCode === code;
}

/** Whether a name is one of this kind. Some names are of two: `JP` is a region and a country. */
export function isNameOf(targetType: TargetType, name: string, catalogue: PopCatalogue): boolean {
  const text = name.trim();
  if (targetType === 'pop') return isPop(text.toUpperCase());
  if (targetType === 'region') return REGION_NAMES.includes(text.toLowerCase());
  return popsOfCountry(text, catalogue).length > 0;
}
