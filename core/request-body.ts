import { z } from 'zod';
import { type InputFault, InvalidInput } from './errors.ts';
import { inputFault } from './input-fault.ts';
import type { PopCatalogue } from './pop-catalogue.ts';
import { POP_NAME, type PopQuestion, TARGET_TYPES } from './pop-choice.ts';
import { REGION_NAMES } from './pop-defaults.ts';
import { DEFAULT_TIMEOUT_MINUTES, type FieldNames, type RequestInput, validateRequest } from './request-input.ts';

const texts = z.array(z.string());

/** Body of `POST /prewarm`: types and defaults. Null means the same as a field left out, and unknown fields are ignored. */
export const requestBodySchema = z.object({
  url_list: texts.describe('URLs to warm'),
  cf_domain: z.string().nullish().describe("The distribution's own name or an alias; may be left out"),
  target_type: z.enum(TARGET_TYPES).nullish().describe('Which of the three lists is read'),
  pops: texts.nullish(),
  countries: texts.nullish(),
  regions: texts.nullish(),
  region: z.union([z.string(), texts]).nullish().describe('Older form: "all", POPs or regions'),
  timeout: z.number().nullish().describe('Minutes, 1 to 1440'),
  header: texts.nullish().describe('Lines as in "Name: value"'),
  instance_count: z.number().nullish(),
  need_invalidate: z.boolean().nullish(),
  accept_status: z.array(z.number()).nullish().describe('Statuses that count as done; any 2xx without it'),
  notify_url: z.string().nullish().describe('An https URL that gets a POST with the figures when the request has ended'),
});

type RequestBody = z.infer<typeof requestBodySchema>;

const NAMES: FieldNames = {
  urls: 'url_list',
  domain: 'cf_domain',
  pops: { pop: 'pops', country: 'countries', region: 'regions' },
  headers: 'header',
  timeout: 'timeout',
  agents: 'instance_count',
  acceptStatus: 'accept_status',
  notifyUrl: 'notify_url',
};

const WANTED: Readonly<Record<keyof RequestBody, string>> = {
  url_list: 'write a list of URLs: ["https://www.example.com/path"]',
  cf_domain: 'write a name: "d111111abcdef8.cloudfront.net"',
  target_type: `write one of ${TARGET_TYPES.join(', ')}`,
  pops: 'write a list of POPs: ["SIN2-P1"]',
  countries: 'write a list of countries: ["japan"]',
  regions: 'write a list of regions: ["apac"]',
  region: 'write "all", or a list of POPs or of regions: ["apac"]',
  timeout: 'write a whole number of minutes from 1 to 1440',
  header: 'write a list of lines: ["Accept-Encoding: gzip, br"]',
  instance_count: 'write a whole number from 1 to 1000',
  need_invalidate: 'write true or false',
  accept_status: 'write a list of statuses: [200, 404]',
  notify_url: 'write an https URL: "https://hooks.example.com/prewarm"',
};

const LIST_OF = { pop: 'pops', country: 'countries', region: 'regions' } as const;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Fields that must not fail a request: the lists that its target type does not read. */
function ignoredFields(body: Readonly<Record<string, unknown>>): readonly string[] {
  if (usesOlderForm(body)) return Object.values(LIST_OF);
  const read = TARGET_TYPES.find((type) => type === (body['target_type'] ?? 'pop'));
  return ['region', ...Object.values(LIST_OF).filter((list) => read !== undefined && list !== LIST_OF[read])];
}

function usesOlderForm(body: Readonly<Record<string, unknown>>): boolean {
  const newer = ['target_type', ...Object.values(LIST_OF)];
  return (body['region'] ?? null) !== null && newer.every((field) => (body[field] ?? null) === null);
}

/** Each field by itself, so that one of a wrong type does not hide what is wrong with the others. */
function readFields(body: Readonly<Record<string, unknown>>, faults: InputFault[]): Partial<RequestBody> {
  const ignored = ignoredFields(body);
  const fields: Record<string, unknown> = {};
  for (const [field, schema] of Object.entries(requestBodySchema.shape)) {
    if (ignored.includes(field)) continue;
    const value = body[field];
    const parsed = schema.safeParse(value);
    if (parsed.success) fields[field] = parsed.data;
    else faults.push(inputFault(field, value === undefined ? '' : value, wantedInstead(field as keyof RequestBody, value)));
  }
  return fields;
}

function wantedInstead(field: keyof RequestBody, value: unknown): string {
  return `${value === undefined || value === null ? 'is missing' : 'is not what this field takes'}; ${WANTED[field]}`;
}

/** The older form says by its values whether it means POPs or regions. */
function olderQuestion(region: string | readonly string[]): PopQuestion {
  const names = typeof region === 'string' ? [region] : region;
  const isPop = (name: string) => POP_NAME.test(name.trim().toUpperCase());
  const isRegion = (name: string) => REGION_NAMES.includes(name.trim().toLowerCase());
  return { targetType: names.some(isPop) && !names.some(isRegion) ? 'pop' : 'region', names };
}

function questionOf(fields: Partial<RequestBody>): PopQuestion {
  if ((fields.region ?? null) !== null) return olderQuestion(fields.region ?? []);
  const targetType = fields.target_type ?? 'pop';
  return { targetType, names: fields[LIST_OF[targetType]] ?? [] };
}

/** Reads the body of `POST /prewarm` (parsed JSON). Throws InvalidInput with every fault; `errorUrls` are the URLs that are wrong. */
export function parseRequestBody(body: unknown, catalogue: PopCatalogue): RequestInput {
  if (!isObject(body))
    throw new InvalidInput([inputFault('body', body, 'write a JSON object: {"url_list": ["https://www.example.com/path"]}')]);
  const faults: InputFault[] = [];
  const fields = readFields(body, faults);
  const names = (fields.region ?? null) === null ? NAMES : { ...NAMES, pops: { pop: 'region', country: 'region', region: 'region' } };
  return validateRequest(
    {
      // A list of the wrong type has its fault already.
      urls: fields.url_list ?? null,
      domain: fields.cf_domain ?? null,
      question: questionOf(fields),
      headers: fields.header ?? [],
      timeout: fields.timeout ?? DEFAULT_TIMEOUT_MINUTES,
      agents: fields.instance_count ?? 1,
      invalidate: fields.need_invalidate ?? false,
      acceptStatus: fields.accept_status ?? [],
      notifyUrl: fields.notify_url ?? null,
    },
    names,
    catalogue,
    faults,
  );
}
