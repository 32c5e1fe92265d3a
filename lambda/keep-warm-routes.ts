import type { Clock } from '../core/clock.ts';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import type { PopCatalogue } from '../core/pops/pop-catalogue.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import { parseRouteListText } from '../core/keep-warm/route-list.ts';
import { parseSecretHeaders } from '../core/keep-warm/secret-headers.ts';
import { aliasFault, type RouteFieldNames, type RouteInput, validateRoute } from '../core/keep-warm/validate-route.ts';
import type { Log } from '../core/ports/log.ts';
import type { KeepWarmSettings } from '../deployment/keep-warm-settings.ts';

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

function checkDomain(input: RouteInput, field: string, faults: InputFault[]): void {
  const fault = aliasFault(input, field);
  if (fault !== null) faults.push(fault);
}

/** All routes and every fault of them, those of the secret included. Throws PrewarmError where a source cannot be read. */
export async function readKeepWarmRoutes(
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

/** Reads all routes, for a caller that cannot go on with a fault. Throws InvalidInput. */
export async function requireRoutes(settings: KeepWarmSettings, sources: KeepWarmSources): Promise<readonly KeepWarmRoute[]> {
  const faults: InputFault[] = [];
  const routes = await readKeepWarmRoutes(settings, sources, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return routes;
}

/** A secret that was changed is in use after this. */
const ROUTES_FOR_MS = 10 * 60_000;
/** And one that was taken away is in use no longer than this after that. */
const GO_ON_MS = 60 * 60_000;

export interface RouteSource {
  /** Throws InvalidInput where the routes are wrong, and PrewarmError where they cannot be read. */
  readonly read: () => Promise<readonly KeepWarmRoute[]>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'error'>;
}

/**
 * Keeps the routes for ten minutes. When they cannot be read again after that, the known ones go on for an hour, and each run tries anew:
 * a fault of the service that keeps the secret is no reason to lose connections. Routes that have become wrong are reported at once.
 */
export function createRouteMemory({ read, clock, log }: RouteSource): () => Promise<readonly KeepWarmRoute[]> {
  let known: { readonly routes: readonly KeepWarmRoute[]; readonly until: number } | null = null;
  return async () => {
    if (known !== null && clock.now() < known.until) return known.routes;
    try {
      known = { routes: await read(), until: clock.now() + ROUTES_FOR_MS };
    } catch (error) {
      if (known === null || error instanceof InvalidInput || clock.now() >= known.until + GO_ON_MS) throw error;
      log.error({ err: error }, 'the routes cannot be read again; those of before are kept warm');
    }
    return known.routes;
  };
}
