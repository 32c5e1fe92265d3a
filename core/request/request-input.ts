import { domainSuffixOf, parseDomain } from './domain-question.ts';
import { type InputFault, InvalidInput, MAX_FAULTS_TOLD } from '../errors.ts';
import { parseHeaders } from './headers.ts';
import { inputFault } from '../input-fault.ts';
import { parseNotifyUrl } from './notify-url.ts';
import { plainText } from '../plain-text.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { choosePops, type DomainSuffix, type PopChoice, type PopQuestion, type TargetType } from '../pops/pop-choice.ts';
import type { Header, RequestSpec } from './request.ts';
import { finish, type Steps } from '../steps.ts';
import { createUrlIntake, type UrlIntake } from './url-intake.ts';
import { readWholeNumber } from '../whole-number.ts';

/** A valid request as far as no lookup is needed. `domain` is as given: an alias, the distribution's own name, or null. */
export interface RequestInput extends RequestSpec {
  /** Distinct and normalised; empty where the list is read apart. */
  readonly urls: readonly string[];
  /** Distinct hosts of `urls`. */
  readonly hosts: readonly string[];
  /** What `pops` was chosen by; see `settleRequest`. */
  readonly question: PopQuestion;
  /** The kind of distribution for which `pops` was chosen, before the distribution was known. */
  readonly suffix: DomainSuffix;
  /** The field that names places, as the user knows it. */
  readonly popsField: string;
}

/** What the user asked for, types not yet trusted where they come from a terminal (numbers may be text). */
export interface RequestFields {
  /** Null: the list is read apart, through the caller's own intake. */
  readonly urls: readonly string[] | null;
  readonly domain: string | null;
  readonly question: PopQuestion;
  readonly headers: readonly string[];
  /** Minutes; null: none. */
  readonly timeout: number | string | null;
  readonly agents: number | string;
  readonly invalidate: boolean;
  readonly acceptStatus: readonly (number | string)[];
  /** Seconds; absent or null: the default. */
  readonly firstByteTimeout?: number | string | null;
  /** Absent or null: nobody is told of the request's end. */
  readonly notifyUrl?: string | null;
  /** Absent or null: it has none. */
  readonly name?: string | null;
}

/** What each field is called where the user wrote it: `cf_domain` or `--domain`. */
export interface FieldNames {
  readonly urls: string;
  readonly domain: string;
  readonly pops: Readonly<Record<TargetType, string>>;
  readonly headers: string;
  readonly timeout: string;
  readonly agents: string;
  readonly acceptStatus: string;
  readonly firstByteTimeout: string;
  /** Absent where it cannot be asked for. */
  readonly notifyUrl?: string;
  readonly name?: string;
}

export const DEFAULT_TIMEOUT_MINUTES = 30;
const MAX_TIMEOUT_MINUTES = 1440;
/** The most agents that a request, or the operator, may claim. */
export const MAX_AGENTS = 1000;
/** CloudFront itself waits for an origin for 180 s at most. */
const MAX_FIRST_BYTE_SECONDS = 180;
const FIRST_STATUS = 200;
const LAST_STATUS = 599;
/** Characters of URLs that are looked at in one piece, some milliseconds; a URL costs something by itself, too. */
const CHARS_AT_ONCE = 100_000;
const CHARS_OF_A_URL = 50;
/** The shortest lines fill what a request may carry with fewer. */
const MAX_HEADER_LINES = 2500;
/** Twice as many as there are. */
const MAX_STATUSES = 800;
/** Of a request, characters. */
const MAX_NAME = 100;

/** Wrong URLs that are given back as they were given: so many, and so many characters, which an answer has room for. */
const MAX_ERROR_URLS = 1000;
const MAX_ERROR_URL_CHARS = 500_000;

interface Collector {
  readonly faults: InputFault[];
  readonly names: FieldNames;
  /** Faults that are not spelt out. */
  omitted: number;
}

/** A whole number in its range, also written as text; 0 with a fault otherwise. */
function wholeNumber(
  value: number | string,
  range: { field: string; from: number; to: number; unit: string },
  faults: InputFault[],
): number {
  const number = readWholeNumber(value, range.from, range.to);
  if (number !== null) return number;
  faults.push(inputFault(range.field, value, `write a whole number${range.unit} from ${range.from} to ${range.to}`));
  return 0;
}

function* takeUrls(urls: readonly string[], intake: UrlIntake, collector: Collector): Steps<{ urls: string[]; bad: string[] }> {
  const { faults, names } = collector;
  const taken: string[] = [];
  const bad: string[] = [];
  let wrong = 0;
  let piece = 0;
  let room = MAX_ERROR_URL_CHARS;
  if (urls.length === 0) faults.push(inputFault(names.urls, '', 'holds no URL; give at least one'));
  for (const raw of urls) {
    piece += CHARS_OF_A_URL + raw.length;
    if (piece > CHARS_AT_ONCE) {
      piece = 0;
      yield;
    }
    const result = intake.add(raw);
    if ('fault' in result) {
      wrong += 1;
      room -= raw.length;
      if (wrong <= MAX_ERROR_URLS && room >= 0) bad.push(raw);
      if (wrong <= MAX_FAULTS_TOLD) faults.push(inputFault(names.urls, raw, result.fault));
    } else if (result.isNew) taken.push(result.url);
  }
  collector.omitted += Math.max(0, wrong - MAX_FAULTS_TOLD);
  return { urls: taken, bad };
}

function parseStatuses(values: readonly (number | string)[], { faults, names }: Collector): readonly number[] | null {
  const range = { field: names.acceptStatus, from: FIRST_STATUS, to: LAST_STATUS, unit: '' };
  if (values.length > MAX_STATUSES) {
    faults.push(inputFault(names.acceptStatus, values, `holds ${values.length} statuses; write each of those that count once`));
    return null;
  }
  const statuses = new Set([...new Set(values)].map((value) => wholeNumber(value, range, faults)));
  return statuses.size === 0 ? null : [...statuses].sort((a, b) => a - b);
}

function readHeaders(lines: readonly string[], { faults, names }: Collector): readonly Header[] {
  if (lines.length > MAX_HEADER_LINES) {
    faults.push(inputFault(names.headers, lines, `holds ${lines.length} lines, more than a request may carry; leave most of them out`));
    return [];
  }
  const { headers, faults: wrong } = parseHeaders(lines, names.headers);
  faults.push(...wrong);
  return headers;
}

/** Null with a fault where the domain is none. */
function checkDomain(raw: string | null, { faults, names }: Collector): string | null {
  const parsed = parseDomain(raw);
  if ('domain' in parsed) return parsed.domain;
  faults.push(inputFault(names.domain, raw, parsed.fault));
  return null;
}

/** Null with a fault where the URL is none to be told. */
function checkNotifyUrl(raw: string | null, { faults, names }: Collector): string | null {
  if (raw === null) return null;
  const parsed = parseNotifyUrl(raw);
  if ('url' in parsed) return parsed.url;
  faults.push(inputFault(names.notifyUrl ?? 'notify_url', raw, parsed.fault));
  return null;
}

/** Null with a fault where the name is none to be shown in a table. */
function checkName(raw: string | null, { faults, names }: Collector): string | null {
  if (raw === null) return null;
  const name = raw.trim();
  const isPlain = plainText(name.slice(0, MAX_NAME)) === name;
  if (name !== '' && isPlain) return name;
  faults.push(inputFault(names.name ?? 'name', raw, `write 1 to ${MAX_NAME} characters that can be printed, as in "spring launch"`));
  return null;
}

/**
 * Checks everything that can be checked without a lookup, piece by piece. `earlier` are faults found while the fields were
 * read. Throws InvalidInput with the faults there are, and the URLs that are wrong.
 */
export function* validateInSteps(
  fields: RequestFields,
  names: FieldNames,
  catalogue: PopCatalogue,
  earlier: readonly InputFault[] = [],
): Steps<RequestInput> {
  const faults = [...earlier];
  const collector: Collector = { faults, names, omitted: 0 };
  const domain = checkDomain(fields.domain, collector);
  const intake = createUrlIntake(domain);
  const { urls, bad } = fields.urls === null ? { urls: [], bad: [] } : yield* takeUrls(fields.urls, intake, collector);
  const suffix = domainSuffixOf(domain ?? intake.hosts().find((host) => host.endsWith('.cloudfront.cn')) ?? null);
  const popsField = names.pops[fields.question.targetType];
  const choice = choosePops(fields.question, { catalogue, suffix, field: popsField });
  faults.push(...choice.faults);
  collector.omitted += choice.omitted;
  const headers = readHeaders(fields.headers, collector);
  const minutes = { field: names.timeout, from: 1, to: MAX_TIMEOUT_MINUTES, unit: ' of minutes' };
  const timeoutMinutes = fields.timeout === null ? null : wholeNumber(fields.timeout, minutes, faults);
  const agents = wholeNumber(fields.agents, { field: names.agents, from: 1, to: MAX_AGENTS, unit: '' }, faults);
  const acceptStatus = parseStatuses(fields.acceptStatus, collector);
  const firstByteTimeout = fields.firstByteTimeout ?? null;
  const seconds = { field: names.firstByteTimeout, from: 1, to: MAX_FIRST_BYTE_SECONDS, unit: ' of seconds' };
  const firstByteTimeoutSeconds = firstByteTimeout === null ? null : wholeNumber(firstByteTimeout, seconds, faults);
  const notifyUrl = checkNotifyUrl(fields.notifyUrl ?? null, collector);
  const name = checkName(fields.name ?? null, collector);
  if (faults.length > 0) throw new InvalidInput(faults, bad, collector.omitted);
  return {
    urls,
    hosts: intake.hosts(),
    domain,
    question: fields.question,
    suffix,
    popsField,
    ...specOf(choice),
    variants: [{ name: 'default', headers }],
    acceptStatus,
    ...(firstByteTimeoutSeconds === null ? {} : { firstByteTimeoutSeconds }),
    timeoutMinutes,
    agents,
    invalidate: fields.invalidate,
    ...(notifyUrl === null ? {} : { notifyUrl }),
    ...(name === null ? {} : { name }),
  };
}

/** The same in one piece. */
export function validateRequest(
  fields: RequestFields,
  names: FieldNames,
  catalogue: PopCatalogue,
  earlier: readonly InputFault[] = [],
): RequestInput {
  return finish(validateInSteps(fields, names, catalogue, earlier));
}

/** Throws InvalidInput where a request is larger than a deployment takes. `field` is the list's, as the user knows it. */
export function checkTargets(spec: Pick<RequestSpec, 'pops' | 'variants'>, urls: number, limit: { maximum: number; field: string }): void {
  const targets = urls * spec.pops.length * spec.variants.length;
  if (targets <= limit.maximum) return;
  const factors = `${urls} URLs at ${spec.pops.length} POPs`;
  const message = `makes ${targets} targets (${factors}), and one request takes ${limit.maximum} at most here; split the list, or name fewer POPs`;
  throw new InvalidInput([inputFault(limit.field, '', message)]);
}

function specOf({ pops, places }: PopChoice): Pick<RequestSpec, 'pops' | 'places'> {
  return { pops, ...(places.length === 0 ? {} : { places }) };
}

/**
 * The request's spec once the distribution is known (null: an edge map stands in for DNS). The POPs are those of `validateRequest`, but
 * where the distribution turns out to be in China, or not to be: another network has other POPs.
 */
export function settleRequest(input: RequestInput, domain: string | null, catalogue: PopCatalogue): RequestSpec {
  const { urls: _urls, hosts: _hosts, question, suffix: chosenFor, popsField: field, ...spec } = input;
  const suffix = domainSuffixOf(domain);
  if (suffix === chosenFor) return { ...spec, domain };
  const { pops: _pops, places: _places, ...others } = spec;
  const choice = choosePops(question, { catalogue, suffix, field });
  if (choice.faults.length > 0) throw new InvalidInput(choice.faults, [], choice.omitted);
  return { ...others, domain, ...specOf(choice) };
}
