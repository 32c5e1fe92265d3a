import { domainSuffixOf, parseDomain } from '../request/domain-question.ts';
import type { InputFault } from '../errors.ts';
import { parseHeaders } from '../request/headers.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { choosePops } from '../pops/pop-choice.ts';
import { isDistributionName, parseTargetUrl } from '../request/url.ts';
import type { KeepWarmRoute } from './route.ts';
import { readWholeNumber } from '../whole-number.ts';
import { findDomain } from '../request/find-domain.ts';
import type { PopResolver } from '../ports/pop-resolver.ts';

/** Most requests through one POP in one run: ten a second of a minute, far more than holds connections open. */
export const MAX_REQUESTS_PER_POP = 600;

/** What is asked for, as texts; '' and null are absences. */
export interface RouteFields {
  /** The distribution's own name or an alias; absent: the host. */
  readonly domain: string | null;
  /** The name viewers use; absent: the domain. */
  readonly host: string | null;
  readonly path: string;
  readonly pops: readonly string[];
  readonly requestsPerPop: number | string;
  readonly method: string;
  /** `Name: value`, one each. */
  readonly headers: readonly string[];
}

/** What the fields are called where they come from: flags, parameters, keys of a file. */
export type RouteFieldNames = { readonly [Field in keyof RouteFields]: string };

/** A route that is valid but for its domain, which may still be an alias whose distribution has to be looked up. */
export interface RouteInput {
  readonly domain: string | null;
  readonly host: string;
  readonly route: KeepWarmRoute;
}

const METHODS = ['GET', 'HEAD'] as const;
const HINTS = 3;
const PATH_REMEDY = 'write a path as in /api/time, with its query string where it has one';

function pathFault(path: string): string | null {
  if (path === '') return `is empty; ${PATH_REMEDY}, or / for the root`;
  if (!path.startsWith('/')) return `does not start with a slash; ${PATH_REMEDY}`;
  if (/[\s\p{Cc}\u2028\u2029]/u.test(path)) return 'holds a blank or a control character; write it percent-encoded';
  if (path.includes('#')) return 'holds a fragment, which no request carries; leave # and what follows out';
  if (path.includes('\\')) return 'holds a backslash; write a slash, or %5C';
  const parsed = parseTargetUrl(`https://host.invalid${path}`);
  return 'fault' in parsed ? parsed.fault : null;
}

function readHost(fields: RouteFields, names: RouteFieldNames, faults: InputFault[]): { domain: string | null; host: string } {
  const read = (raw: string | null, field: string) => {
    const parsed = parseDomain(raw);
    if ('domain' in parsed) return parsed.domain;
    faults.push(inputFault(field, raw, parsed.fault));
    return null;
  };
  const before = faults.length;
  const domain = read(fields.domain, names.domain);
  const host = read(fields.host, names.host) ?? domain;
  if (host === null && faults.length === before) {
    faults.push(inputFault(names.host, '', `is missing; write the name viewers use, or give ${names.domain}`));
  }
  if (host !== null && domain !== null && host !== domain && isDistributionName(host) && isDistributionName(domain)) {
    faults.push(inputFault(names.host, host, `is another distribution than ${domain}; leave ${names.domain} out, or correct it`));
  }
  return { domain, host: host ?? 'host.invalid' };
}

function readCount(raw: number | string, field: string, faults: InputFault[]): number {
  const value = readWholeNumber(raw, 1, MAX_REQUESTS_PER_POP);
  if (value !== null) return value;
  const idle = readWholeNumber(raw, 0, 0) === 0 ? 'holds nothing open; ' : '';
  faults.push(inputFault(field, raw, `${idle}write a whole number from 1 to ${MAX_REQUESTS_PER_POP}`));
  return 1;
}

function readPops(fields: RouteFields, field: string, domain: string | null, catalogue: PopCatalogue, faults: InputFault[]) {
  const named = fields.pops.map((name) => name.trim()).filter((name) => name !== '');
  if (named.length === 0) {
    faults.push(inputFault(field, fields.pops.join(','), 'names no POP; write those that your viewers use, as in SIN2-P1,FRA56-P4'));
    return [];
  }
  const context = { catalogue, suffix: domainSuffixOf(domain), field };
  const choice = choosePops({ targetType: 'pop', names: named }, context);
  for (const fault of choice.faults) {
    // Places can be warmed, but each POP that is kept warm costs money every month: it has to be named.
    const place = (['country', 'region'] as const).flatMap((targetType) => choosePops({ targetType, names: [fault.value] }, context).pops);
    const some = place.slice(0, HINTS).map(({ pop }) => pop);
    faults.push(some.length === 0 ? fault : { ...fault, message: `is a place; name POPs of it, such as ${some.join(', ')}` });
  }
  return choice.pops.map(({ pop }) => pop);
}

/**
 * Checks all that can be checked without a lookup. What is wrong is added to `faults`, and what is returned then stands
 * in only. POPs that the catalogue does not list are taken: it is never complete.
 */
export function validateRoute(fields: RouteFields, names: RouteFieldNames, catalogue: PopCatalogue, faults: InputFault[]): RouteInput {
  const { domain, host } = readHost(fields, names, faults);
  const wrongPath = pathFault(fields.path);
  if (wrongPath !== null) faults.push(inputFault(names.path, fields.path, wrongPath));
  const pops = readPops(fields, names.pops, domain ?? host, catalogue, faults);
  const requestsPerPop = readCount(fields.requestsPerPop, names.requestsPerPop, faults);
  const method = METHODS.find((known) => known === fields.method.trim().toUpperCase());
  if (method === undefined) faults.push(inputFault(names.method, fields.method, 'cannot be sent; write GET or HEAD'));
  const { headers, faults: wrongHeaders } = parseHeaders(fields.headers, names.headers);
  faults.push(...wrongHeaders);
  const parsed = parseTargetUrl(`https://${host}${wrongPath === null ? fields.path : '/'}`);
  const url = 'url' in parsed ? parsed.url : '';
  return { domain, host, route: { domain, url, pops, requestsPerPop, method: method ?? 'GET', headers } };
}

/** POPs that neither the catalogue nor its airport codes know; they may exist all the same. */
export function unknownPops(pops: readonly string[], catalogue: PopCatalogue): readonly string[] {
  return pops.filter((pop) => catalogue.describe(pop).city === 'unknown');
}

/** Null: the name under which the route's POPs are found is the distribution's own. `field`: what it is called. */
export function aliasFault({ domain, host }: RouteInput, field: string): InputFault | null {
  const own = domain ?? host;
  if (isDistributionName(own)) return null;
  // No look-up each minute: what it finds does not change, and it may fail.
  return inputFault(field, own, `is an alias; write the distribution's own name, as in d111111abcdef8${domainSuffixOf(own)}`);
}

/**
 * The route with its distribution's own name; `resolver` null: an edge map stands in for DNS, and no name is needed. `field`: the
 * domain's, as the user knows it. Throws InvalidInput where no distribution is found.
 */
export async function settleRoute(
  { domain, host, route }: RouteInput,
  resolver: Pick<PopResolver, 'findDistribution'> | null,
  field: string,
): Promise<KeepWarmRoute> {
  if (resolver === null) return route;
  return { ...route, domain: await findDomain(resolver, { given: domain, hosts: [host], field }) };
}
