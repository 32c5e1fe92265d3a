import { domainSuffixOf } from '../request/domain-question.ts';
import { type InputFault, InvalidInput } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { PopCatalogue } from '../pops/pop-catalogue.ts';
import { isDistributionName } from '../request/url.ts';
import type { KeepWarmRoute } from './route.ts';
import { parseRouteListText } from './route-list.ts';
import { parseSecretHeaders } from './secret-headers.ts';
import { type RouteFieldNames, type RouteInput, validateRoute } from './validate-route.ts';

/** What the stack's parameters say, as texts. Empty ones were not given. */
export interface KeepWarmSettings {
  readonly customDomain: string;
  readonly distributionDomainName: string;
  readonly urlPath: string;
  /** Names with commas between. */
  readonly popList: string;
  readonly requestsPerPop: string;
  readonly method: string;
  /** ARN of the secret. */
  readonly headersSecret: string;
  /** Where the list of routes is that was given in the context; empty: the parameters are the one route. */
  readonly routesBucket: string;
  readonly routesKey: string;
}

export const SETTING_NAMES = [
  'customDomain',
  'distributionDomainName',
  'urlPath',
  'popList',
  'requestsPerPop',
  'method',
  'headersSecret',
  'routesBucket',
  'routesKey',
] as const satisfies readonly (keyof KeepWarmSettings)[];

export interface KeepWarmSources {
  /** Text of a secret. */
  readonly readSecret: (id: string) => Promise<string>;
  /** Text of an object in S3. */
  readonly readObject: (bucket: string, key: string) => Promise<string>;
  readonly catalogue: PopCatalogue;
}

const NAMES: RouteFieldNames = {
  domain: 'distributionDomainName',
  host: 'customDomain',
  path: 'urlPath',
  pops: 'popList',
  requestsPerPop: 'requestsPerPop',
  method: 'method',
  headers: 'headersSecret',
};

/** Environment variable of a setting: `urlPath` is `PREWARM_KEEP_WARM_URL_PATH`. */
export function variableOf(setting: keyof KeepWarmSettings): string {
  return `PREWARM_KEEP_WARM_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export function settingsFrom(read: (setting: keyof KeepWarmSettings) => string | undefined): KeepWarmSettings {
  return Object.fromEntries(SETTING_NAMES.map((name) => [name, (read(name) ?? '').trim()])) as unknown as KeepWarmSettings;
}

/** Null: the name under which the route's POPs are found is the distribution's own. `field`: what it is called. */
export function aliasFault({ domain, host }: RouteInput, field: string): InputFault | null {
  const own = domain ?? host;
  if (isDistributionName(own)) return null;
  // No look-up each minute: what it finds does not change, and it may fail.
  return inputFault(field, own, `is an alias; write the distribution's own name, as in d111111abcdef8${domainSuffixOf(own)}`);
}

function checkDomain(input: RouteInput, field: string, faults: InputFault[]): void {
  const fault = aliasFault(input, field);
  if (fault !== null) faults.push(fault);
}

/** All routes and every fault of them, those of the secret included. Throws PrewarmError where a source cannot be read. */
export async function readRoutes(
  settings: KeepWarmSettings,
  { readSecret, readObject, catalogue }: KeepWarmSources,
  faults: InputFault[],
): Promise<readonly KeepWarmRoute[]> {
  const { headersSecret, routesBucket, routesKey } = settings;
  const secretHeaders = headersSecret === '' ? [] : parseSecretHeaders(await readSecret(headersSecret), 'headersSecret', faults);
  if (routesKey !== '') {
    const inputs = parseRouteListText(await readObject(routesBucket, routesKey), { name: 'keepWarm', catalogue }, faults);
    return inputs.map((input, place) => {
      checkDomain(input, `keepWarm[${place}].domain`, faults);
      return ownRoute(input, secretHeaders);
    });
  }
  const fields = {
    domain: settings.distributionDomainName,
    host: settings.customDomain,
    path: settings.urlPath,
    pops: settings.popList.split(','),
    requestsPerPop: settings.requestsPerPop,
    method: settings.method,
    headers: [],
  };
  const before = faults.length;
  const input = validateRoute(fields, NAMES, catalogue, faults);
  if (faults.length === before) checkDomain(input, NAMES.domain, faults);
  return [ownRoute(input, secretHeaders)];
}

const headerOf = (line: string) => {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
};

/** With the secret's headers, which take the place of the route's own of the same name. */
function ownRoute({ domain, host, route }: RouteInput, secretHeaders: readonly string[]): KeepWarmRoute {
  const secret = secretHeaders.map(headerOf);
  const names = new Set(secret.map(([name]) => name.toLowerCase()));
  const headers = [...route.headers.filter(([name]) => !names.has(name.toLowerCase())), ...secret];
  return { ...route, domain: domain ?? host, headers };
}

/** The same for whoever cannot go on with a fault. Throws InvalidInput. */
export async function requireRoutes(settings: KeepWarmSettings, sources: KeepWarmSources): Promise<readonly KeepWarmRoute[]> {
  const faults: InputFault[] = [];
  const routes = await readRoutes(settings, sources, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return routes;
}
