import { parseDomain } from './domain-question.ts';
import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import { isDistributionName } from './url.ts';

/** Allows every distribution. */
const ANY_DOMAIN = '*';
const MAX_DOMAINS = 100;
const TOLD = 5;
/** That one request may cost. */
const MAX_LOOKUPS = 20;

/** Names of distributions or aliases of theirs, or `*`, in lower case. What is wrong is added to `faults`. */
export function parseAllowedDomains(texts: readonly string[], field: string, faults: InputFault[]): readonly string[] {
  const given = texts.map((text) => text.trim()).filter((text) => text !== '');
  if (given.length > MAX_DOMAINS) {
    faults.push(inputFault(field, String(given.length), `names more than ${MAX_DOMAINS} distributions; write * for every one`));
    return [];
  }
  return given.flatMap((text) => {
    if (text === ANY_DOMAIN) return [ANY_DOMAIN];
    const parsed = parseDomain(text);
    if (!('fault' in parsed)) return parsed.domain === null ? [] : [parsed.domain];
    faults.push(inputFault(field, text, `${parsed.fault}, or write * for every distribution`));
    return [];
  });
}

/** What a request is about: its distribution (null where none is needed), and the hosts of its URLs. */
export interface AskedDomain {
  readonly domain: string | null;
  readonly hosts: readonly string[];
}

/** The distribution behind a host, by its own name; null: none is known. */
type FindDistribution = (host: string) => Promise<string | null>;

function tellAllowed(allowed: readonly string[]): string {
  const more = allowed.length > TOLD ? ` and ${allowed.length - TOLD} more` : '';
  return `the operator allows ${allowed.slice(0, TOLD).join(', ')}${more}`;
}

/** Whether one of the names is the distribution's or an alias of it. */
async function isNamed(allowed: readonly string[], domain: string, find: FindDistribution): Promise<boolean> {
  if (allowed.includes(domain)) return true;
  for (const alias of allowed) if (!isDistributionName(alias) && (await find(alias)) === domain) return true;
  return false;
}

/**
 * Why this may not be warmed; null: it may. The distribution has to be named, by itself or by an alias, and each host has to be
 * its own: an edge goes by the host it is asked for, so that any address of CloudFront would warm any distribution. `allowed` empty:
 * everything may be warmed.
 */
export async function domainFault(
  allowed: readonly string[],
  { domain, hosts }: AskedDomain,
  findDistribution: FindDistribution,
): Promise<{ readonly name: string; readonly message: string } | null> {
  if (allowed.length === 0 || allowed.includes(ANY_DOMAIN)) return null;
  const find: FindDistribution = async (host) => (await findDistribution(host))?.toLowerCase() ?? null;
  if (domain !== null && !(await isNamed(allowed, domain, find)))
    return { name: domain, message: `may not be warmed here; ${tellAllowed(allowed)}` };
  const strange = hosts.filter((host) => host !== domain && !allowed.includes(host));
  if (strange.length > MAX_LOOKUPS) {
    const message = `is one of ${strange.length} hosts that the operator has not named; ${tellAllowed(allowed)}`;
    return { name: strange[0] ?? '', message };
  }
  for (const host of strange) {
    if (domain === null || (await find(host)) !== domain)
      return { name: host, message: `does not belong to a distribution that may be warmed here; ${tellAllowed(allowed)}` };
  }
  return null;
}
