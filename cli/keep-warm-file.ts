import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { type RouteInput, validateRoute } from '../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../data/catalogue.ts';
import { DEFAULT_PER_MINUTE } from './keep-warm-options.ts';

const EXAMPLE =
  '[{"domain": "d111111abcdef8.cloudfront.net", "host": "api.example.com", "path": "/time", "pops": ["SIN2-P1"], "per_minute": 60}]';
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

function readJson(path: string, flag: string, faults: InputFault[]): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = error instanceof SyntaxError ? `is not JSON (${message})` : `cannot be read (${code})`;
    faults.push(inputFault(flag, path, `${what}; name a file such as ${EXAMPLE}`));
    return null;
  }
}

function readEntry(value: unknown, name: string, faults: InputFault[]): RouteInput[] {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
      const message = keys.length > 0 ? `knows no ${keys.join(', ')}; write an entry as in ${EXAMPLE}` : issue.message;
      faults.push(inputFault([name, ...issue.path].join('.'), value, message));
    }
    return [];
  }
  const { domain = null, host = null, path, pops, per_minute: requestsPerPop, method, headers } = parsed.data;
  const names = {
    domain: `${name}.domain`,
    host: `${name}.host`,
    path: `${name}.path`,
    pops: `${name}.pops`,
    requestsPerPop: `${name}.per_minute`,
    method: `${name}.method`,
    headers: `${name}.headers`,
  };
  return [validateRoute({ domain, host, path, pops, requestsPerPop, method, headers }, names, popCatalogue(), faults)];
}

/** The routes of a keep-warm file, a JSON list; what is wrong with it is added to `faults`, by entry. */
export function readKeepWarmFile(path: string, flag: string, faults: InputFault[]): readonly RouteInput[] {
  const before = faults.length;
  const value = readJson(path, flag, faults);
  if (faults.length > before) return [];
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ROUTES) {
    faults.push(inputFault(flag, path, `holds no list of 1 to ${MAX_ROUTES} entries; write ${EXAMPLE}`));
    return [];
  }
  const inputs = value.flatMap((entry: unknown, place) => readEntry(entry, `${flag}[${place}]`, faults));
  const seen = new Set<string>();
  for (const { route } of inputs) {
    const key = `${route.method} ${route.url}`;
    if (seen.has(key)) faults.push(inputFault(flag, key, 'is there twice; join the POPs in one entry'));
    seen.add(key);
  }
  return inputs;
}
