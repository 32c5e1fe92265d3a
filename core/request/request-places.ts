import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { isNameOf, MAX_POPS, type PopQuestion, TARGET_TYPES, type TargetType } from '../pops/pop-choice.ts';

/** Where a request warms, and the field that says so. */
export interface Places {
  readonly question: PopQuestion;
  readonly field: string;
}

type Body = Readonly<Record<string, unknown>>;

const LIST_OF = { pop: 'pops', country: 'countries', region: 'regions' } as const;
const REGION = 'region';
/** Places that a request may come to name, and that nothing is chosen by yet. */
const CITIES = 'cities';
const FIELDS = [LIST_OF.pop, LIST_OF.country, LIST_OF.region, CITIES, REGION];

const EXAMPLES: Readonly<Record<string, string>> = {
  pops: 'write a list of POPs: ["SIN2-P1"]',
  countries: 'write a list of countries: ["japan"]',
  regions: 'write a list of regions: ["apac"]',
  region: 'write "all", or a list of POPs, of regions or of countries: ["apac"]',
};
const DEFAULTS: Places = { question: { targetType: 'pop', names: [] }, field: LIST_OF.pop };

/** Null and an empty list count as not given. */
function isGiven(value: unknown): boolean {
  return (value ?? null) !== null && !(Array.isArray(value) && value.length === 0);
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string');
}

/** The names in a field; null with a fault where it is no list of texts. The older `region` may be one text. */
function namesIn(body: Body, field: string, faults: InputFault[]): readonly string[] | null {
  const value = body[field];
  if (field === REGION && typeof value === 'string') return [value];
  if (isListOfTexts(value)) return value;
  faults.push(inputFault(field, value, `is not what this field takes; ${EXAMPLES[field]}`));
  return null;
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  const keysOf = (names: readonly string[]) => new Set(names.map((name) => name.trim().toUpperCase()));
  const [a, b] = [keysOf(one), keysOf(other)];
  return a.size === b.size && [...a].every((key) => b.has(key));
}

/** The older form says by its names what they are. */
function readRegion(names: readonly string[], catalogue: PopCatalogue, faults: InputFault[]): Places {
  // Too many are refused whatever they are.
  const judged = names.slice(0, MAX_POPS + 1);
  const isOf = (type: TargetType, name: string) => isNameOf(type, name, catalogue);
  const order = ['pop', 'region', 'country'] as const;
  const fitting = order.find((type) => judged.every((name) => isOf(type, name)));
  if (fitting !== undefined) return { question: { targetType: fitting, names }, field: REGION };
  const unknown = judged.find((name) => !order.some((type) => isOf(type, name)));
  const message =
    unknown === undefined
      ? 'mixes POPs, regions and countries; name one kind, or use pops, regions or countries instead'
      : 'is neither a POP, nor a region, nor a country; write POPs as in SIN2-P1, countries as in japan or DE, or regions: all, apac, au, ca, eu, jp, sa, us, cn';
  faults.push(inputFault(REGION, unknown ?? names, message));
  return DEFAULTS;
}

function readField(body: Body, field: string, faults: InputFault[], catalogue: PopCatalogue): Places {
  if (field === CITIES) {
    faults.push(inputFault(CITIES, body[CITIES], 'cannot be chosen by yet; name POPs, countries or regions instead'));
    return DEFAULTS;
  }
  const names = namesIn(body, field, faults);
  if (names === null) return DEFAULTS;
  if (field === REGION) return readRegion(names, catalogue, faults);
  const targetType = TARGET_TYPES.find((type) => LIST_OF[type] === field) ?? 'pop';
  return { question: { targetType, names }, field };
}

/** With a target type its own list counts, then `region`; another list alone was hardly meant to be passed over. */
function readTyped(body: Body, targetType: TargetType, faults: InputFault[], catalogue: PopCatalogue): Places {
  const own = LIST_OF[targetType];
  if (isGiven(body[own])) {
    const places = readField(body, own, faults, catalogue);
    const { region } = body;
    const regionNames = typeof region === 'string' ? [region] : region;
    if (isGiven(region) && !(isListOfTexts(regionNames) && sameNames(regionNames, places.question.names))) {
      faults.push(inputFault(REGION, region, `says other places than ${own}, which is read with this target_type; leave one of them out`));
    }
    return places;
  }
  if (isGiven(body[REGION])) return readField(body, REGION, faults, catalogue);
  const other = FIELDS.find((field) => isGiven(body[field]));
  if (other !== undefined) {
    const message = `is not read with target_type ${targetType}, whose list ${own} is not given; give ${own}, or leave target_type out`;
    faults.push(inputFault(other, body[other], message));
  }
  return DEFAULTS;
}

function readUntyped(body: Body, faults: InputFault[], catalogue: PopCatalogue): Places {
  const [first, ...more] = FIELDS.filter((field) => isGiven(body[field]));
  if (first === undefined) return DEFAULTS;
  if (more.length === 0) return readField(body, first, faults, catalogue);
  const message = `${[first, ...more].join(' and ')} are given; give one of them, or say by target_type which is meant`;
  faults.push(inputFault(first, body[first], message));
  return DEFAULTS;
}

/** Reads where a body of `POST /prewarm` asks to warm. What is wrong is added to `faults`; the default POPs stand for it then. */
export function readPlaces(body: Body, catalogue: PopCatalogue, faults: InputFault[]): Places {
  const given = body['target_type'] ?? null;
  if (given === null) return readUntyped(body, faults, catalogue);
  const targetType = TARGET_TYPES.find((type) => type === given);
  if (targetType !== undefined) return readTyped(body, targetType, faults, catalogue);
  faults.push(inputFault('target_type', given, `is not what this field takes; write one of ${TARGET_TYPES.join(', ')}`));
  return DEFAULTS;
}
