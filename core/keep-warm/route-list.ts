import { z } from 'zod';
import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { checkSecretHeaders } from './secret-headers.ts';
import { type RouteInput, validateRoute } from './validate-route.ts';

export const ROUTE_LIST_EXAMPLE =
  '[{"domain": "d111111abcdef8.cloudfront.net", "host": "api.example.com", "path": "/time", "pops": ["SIN2-P1"], "per_minute": 60}]';
/** Requests through a POP in a run, unless another number is asked for. */
export const DEFAULT_PER_MINUTE = 60;
const MAX_ROUTES = 100;

const text = (message: string) => z.string(message);
const entrySchema = z.strictObject({
  domain: text('write the name of the distribution as a text').optional(),
  host: text('write the name viewers use as a text').optional(),
  path: text('write the path as a text, as in "/api/time"'),
  pops: z.array(z.string('write names of POPs'), 'write a list of POPs, as in ["SIN2-P1", "FRA56-P4"]'),
  per_minute: z.union([z.number(), z.string()], 'write a whole number').default(DEFAULT_PER_MINUTE),
  method: text('write "GET" or "HEAD"').default('GET'),
  headers: z.array(z.string('write "Name: value"'), 'write a list of "Name: value"').default([]),
});

/** What stands at a path of an entry; '' where nothing does, and for headers, which may hold secrets. */
const valueAt = (entry: unknown, path: readonly PropertyKey[]): unknown =>
  path[0] === 'headers'
    ? ''
    : (path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined), entry) ??
      '');

function readEntry(value: unknown, name: string, catalogue: PopCatalogue, faults: InputFault[]): RouteInput[] {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
      const message = keys.length > 0 ? `knows no ${keys.join(', ')}; write an entry as in ${ROUTE_LIST_EXAMPLE}` : issue.message;
      faults.push(inputFault([name, ...issue.path].join('.'), keys.length > 0 ? keys.join(', ') : valueAt(value, issue.path), message));
    }
    return [];
  }
  const { domain = null, host = null, path, pops, per_minute: requestsPerPop, method } = parsed.data;
  const names = {
    domain: `${name}.domain`,
    host: `${name}.host`,
    path: `${name}.path`,
    pops: `${name}.pops`,
    requestsPerPop: `${name}.per_minute`,
    method: `${name}.method`,
    headers: `${name}.headers`,
  };
  const headerFaults: InputFault[] = [];
  const checked = checkSecretHeaders(parsed.data.headers, names.headers, headerFaults);
  // Whoever judges the headers next would show what is wrong with them.
  const headers = headerFaults.length > 0 ? [] : checked;
  const input = validateRoute({ domain, host, path, pops, requestsPerPop, method, headers }, names, catalogue, faults);
  faults.push(...headerFaults);
  return [input];
}

/** The routes of a parsed list, such as ROUTE_LIST_EXAMPLE; what is wrong is added to `faults`, by entry. `name`: what the list is called. */
function parseRouteList(
  value: unknown,
  { name, catalogue }: { readonly name: string; readonly catalogue: PopCatalogue },
  faults: InputFault[],
): readonly RouteInput[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ROUTES) {
    faults.push(inputFault(name, '', `holds no list of 1 to ${MAX_ROUTES} entries; write ${ROUTE_LIST_EXAMPLE}`));
    return [];
  }
  const inputs = value.flatMap((entry: unknown, place) => readEntry(entry, `${name}[${place}]`, catalogue, faults));
  const seen = new Set<string>();
  for (const { route } of inputs) {
    const key = `${route.method} ${route.url}`;
    if (seen.has(key)) faults.push(inputFault(name, key, 'is there twice; join the POPs in one entry'));
    seen.add(key);
  }
  return inputs;
}

/** Reads the text of such a list. */
export function parseRouteListText(
  source: string,
  context: { readonly name: string; readonly catalogue: PopCatalogue },
  faults: InputFault[],
): readonly RouteInput[] {
  let value: unknown;
  try {
    value = JSON.parse(source.replace(/^\uFEFF/, ''));
  } catch (error) {
    // What else the error says quotes the text, which may hold secrets.
    const [where = ''] = / \(line \d+ column \d+\)$/.exec(String(error)) ?? [];
    faults.push(inputFault(context.name, '', `is not JSON${where}; write ${ROUTE_LIST_EXAMPLE}`));
    return [];
  }
  return parseRouteList(value, context, faults);
}
