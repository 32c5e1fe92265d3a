import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { DomainSuffix } from '../pops/pop-choice.ts';
import { isDistributionName, parseTargetUrl } from './url.ts';

/** Which distribution a request is about: known by its own name, or to be found from these hosts (account, CNAME chain). */
export type DomainQuestion =
  | { readonly kind: 'known'; readonly domain: string }
  | { readonly kind: 'ask'; readonly hosts: readonly string[]; readonly given: string | null };

export type DomainVerdict = { readonly domain: string } | { readonly fault: InputFault };

/** Lookups that one request may cost. */
const MAX_LOOKUPS = 20;
const REMEDY = "pass the distribution's own name, as in d111111abcdef8.cloudfront.net";

/** The domain as the user gave it, in lower case; '' and absence are null. */
export function parseDomain(raw: string | null | undefined): { readonly domain: string | null } | { readonly fault: string } {
  const text = (raw ?? '').trim();
  if (text === '') return { domain: null };
  if (/[/?#@:\s*]/.test(text)) return { fault: `is not a bare host name; without scheme, port and path ${REMEDY}, or one alias of it` };
  const parsed = parseTargetUrl(`https://${text}/`);
  if ('fault' in parsed) return { fault: `is not the name of a distribution; ${REMEDY}, or an alias of it` };
  return { domain: parsed.host };
}

/** `.cloudfront.net` as long as nothing tells otherwise. */
export function domainSuffixOf(domain: string | null): DomainSuffix {
  return domain?.endsWith('.cloudfront.cn') ? '.cloudfront.cn' : '.cloudfront.net';
}

/** What is to be looked up. `hosts`: the hosts of the request's URLs; looked up only where no name says it. */
export function domainQuestion(domain: string | null, hosts: readonly string[]): DomainQuestion {
  const own = domain !== null ? [domain].find(isDistributionName) : hosts.find(isDistributionName);
  if (own !== undefined) return { kind: 'known', domain: own };
  return { kind: 'ask', hosts: domain !== null ? [domain] : hosts.slice(0, MAX_LOOKUPS), given: domain };
}

/**
 * Judges what the lookups found: by host the distribution's own name, or null. `field` is the domain's, as the user knows it.
 * `hidden` is a host that has an address, where no host leads to a distribution.
 */
export function judgeDomain(
  question: Extract<DomainQuestion, { kind: 'ask' }>,
  answers: ReadonlyMap<string, string | null>,
  context: { readonly field: string; readonly hosts: readonly string[]; readonly hidden?: string | null },
): DomainVerdict {
  const { field, hosts } = context;
  const found = question.hosts.flatMap((host) => {
    const domain = answers.get(host)?.toLowerCase();
    return domain === undefined ? [] : [{ host, domain }];
  });
  const [first] = found;
  if (first === undefined) {
    const tried = question.given ?? question.hosts.slice(0, 3).join(', ');
    const hidden = context.hidden ?? null;
    const why =
      hidden === null
        ? 'an ALIAS record would hide it'
        : `${hidden} has an address but no CNAME record that leads to CloudFront, so an ALIAS record hides the distribution, or there is none`;
    return { fault: inputFault(field, question.given ?? '', `no distribution was found for ${tried}; ${why}; ${REMEDY}`) };
  }
  const other = found.find(({ domain }) => domain !== first.domain);
  if (other !== undefined) {
    const both = `${first.host} is ${first.domain} and ${other.host} is ${other.domain}`;
    return { fault: inputFault(field, '', `the URLs belong to different distributions: ${both}; make one request for each`) };
  }
  const stranger = hosts.find((host) => isDistributionName(host) && host !== first.domain);
  if (stranger !== undefined) {
    const message = `is the distribution ${first.domain}, but URLs belong to ${stranger}; make one request for each`;
    return { fault: inputFault(field, first.host, message) };
  }
  return { domain: first.domain };
}
