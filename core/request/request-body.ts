import { z } from 'zod';
import { type InputFault, InvalidInput } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { TARGET_TYPES } from '../pops/pop-choice.ts';
import { DEFAULT_TIMEOUT_MINUTES, type FieldNames, MAX_AGENTS, type RequestInput, validateInSteps } from './request-input.ts';
import { readPlaces } from './request-places.ts';
import { finish, type Steps } from '../steps.ts';

const texts = z.array(z.string());

/** Body of `POST /prewarm`: types and defaults. Null means the same as a field left out, and unknown fields are ignored. */
export const requestBodySchema = z.object({
  url_list: texts.describe('URLs to warm'),
  cf_domain: z.string().nullish().describe("The distribution's own name or an alias; may be left out"),
  target_type: z.enum(TARGET_TYPES).nullish().describe('Which of the lists is read; without it, the one that is given'),
  pops: texts.nullish().describe('At most 1,000; names need not be known here'),
  countries: texts.nullish().describe('By name or ISO code'),
  regions: texts.nullish().describe('all, apac, au, ca, eu, jp, sa, us, cn'),
  region: z.union([z.string(), texts]).nullish().describe('Older form: "all", or POPs, regions or countries'),
  timeout: z.number().nullish().describe('Minutes, 1 to 1440'),
  header: texts.nullish().describe('Lines as in "Name: value"'),
  instance_count: z.number().nullish(),
  need_invalidate: z.boolean().nullish(),
  accept_status: z.array(z.number()).nullish().describe('Statuses that count as done; any 2xx without it'),
  first_byte_timeout: z.number().nullish().describe('Seconds to wait for the first byte of an answer, 1 to 180; 30 without it'),
  name: z.string().nullish().describe('What you call it, 1 to 100 characters; lists, summaries and notices show it'),
  notify_url: z.string().nullish().describe('An https URL that gets a POST with the figures when the request has ended'),
});

/** The most bytes that a request's body may have. API Gateway itself takes 10 MB. */
export const MAX_BODY_BYTES = 5 * 1024 * 1024;

type Body = Readonly<Record<string, unknown>>;

/** What each field that is no place holds, and what to write where it holds something else. */
const KINDS = {
  url_list: ['texts', 'write a list of URLs: ["https://www.example.com/path"]'],
  cf_domain: ['string', 'write a name: "d111111abcdef8.cloudfront.net"'],
  timeout: ['number', 'write a whole number of minutes from 1 to 1440'],
  header: ['texts', 'write a list of lines: ["Accept-Encoding: gzip, br"]'],
  instance_count: ['number', `write a whole number from 1 to ${MAX_AGENTS}`],
  need_invalidate: ['boolean', 'write true or false'],
  accept_status: ['numbers', 'write a list of statuses: [200, 404]'],
  first_byte_timeout: ['number', 'write a whole number of seconds from 1 to 180'],
  name: ['string', 'write a text: "spring launch"'],
  notify_url: ['string', 'write an https URL: "https://hooks.example.com/prewarm"'],
} as const;

type Field = keyof typeof KINDS;

interface Values {
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

const NAMES: Omit<FieldNames, 'pops'> = {
  urls: 'url_list',
  domain: 'cf_domain',
  headers: 'header',
  timeout: 'timeout',
  agents: 'instance_count',
  acceptStatus: 'accept_status',
  firstByteTimeout: 'first_byte_timeout',
  notifyUrl: 'notify_url',
  name: 'name',
};

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** By hand: a validator makes an issue of each element, and a wrong list may have millions. */
function isOfKind(kind: keyof Values, value: unknown): boolean {
  if (kind === 'texts') return Array.isArray(value) && value.every((part) => typeof part === 'string');
  if (kind === 'numbers') return Array.isArray(value) && value.every((part) => typeof part === 'number');
  return typeof value === kind;
}

/** The value of a field; null where it is absent, null, or of another type, which is a fault. */
function readField<Name extends Field>(body: Body, field: Name, faults: InputFault[]): Values[(typeof KINDS)[Name][0]] | null {
  const value = body[field] ?? null;
  const [kind, wanted] = KINDS[field];
  if (value === null) return null;
  // The one place where the type that was looked up meets the value that was looked at.
  if (isOfKind(kind, value)) return value as Values[(typeof KINDS)[Name][0]];
  faults.push(inputFault(field, value, `is not what this field takes; ${wanted}`));
  return null;
}

function readUrls(body: Body, faults: InputFault[]): readonly string[] | null {
  if ((body['url_list'] ?? null) === null) faults.push(inputFault('url_list', '', `is missing; ${KINDS.url_list[1]}`));
  return readField(body, 'url_list', faults);
}

/**
 * Reads the body of `POST /prewarm` (parsed JSON), piece by piece. Throws InvalidInput with the faults there are; `errorUrls`
 * are the URLs that are wrong.
 */
export function* parseBodyInSteps(body: unknown, catalogue: PopCatalogue): Steps<RequestInput> {
  if (!isObject(body))
    throw new InvalidInput([inputFault('body', body, 'write a JSON object: {"url_list": ["https://www.example.com/path"]}')]);
  const faults: InputFault[] = [];
  const { question, field } = readPlaces(body, catalogue, faults);
  const fields = {
    // Null: a list of the wrong type has its fault already.
    urls: readUrls(body, faults),
    domain: readField(body, 'cf_domain', faults),
    question,
    headers: readField(body, 'header', faults) ?? [],
    timeout: readField(body, 'timeout', faults) ?? DEFAULT_TIMEOUT_MINUTES,
    agents: readField(body, 'instance_count', faults) ?? 1,
    invalidate: readField(body, 'need_invalidate', faults) ?? false,
    acceptStatus: readField(body, 'accept_status', faults) ?? [],
    firstByteTimeout: readField(body, 'first_byte_timeout', faults),
    notifyUrl: readField(body, 'notify_url', faults),
    name: readField(body, 'name', faults),
  };
  return yield* validateInSteps(fields, { ...NAMES, pops: { pop: field, country: field, region: field } }, catalogue, faults);
}

/** The same in one piece. */
export function parseRequestBody(body: unknown, catalogue: PopCatalogue): RequestInput {
  return finish(parseBodyInSteps(body, catalogue));
}
