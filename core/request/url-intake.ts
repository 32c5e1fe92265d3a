import { isDistributionName, parseTargetUrl } from './url.ts';
import { createUrlSet } from './url-set.ts';

/** `isNew` is false for a URL that was taken before, perhaps written differently. */
type TakenUrl = { readonly url: string; readonly isNew: boolean } | { readonly fault: string };

/** Takes a request's URLs one by one, from all of its sources, and keeps a few bytes of each. */
export interface UrlIntake {
  add(raw: string): TakenUrl;
  /** Distinct URLs so far. */
  readonly count: number;
  readonly duplicates: number;
  /** Distinct hosts in the order seen, the first 100 of them. */
  hosts(): readonly string[];
}

/** More hosts than a distribution has aliases by default; beyond, they are not needed to find out which one it is. */
const MAX_HOSTS = 100;

/**
 * `domain` as the user gave it, or null. Where it is not a distribution's own name, the first such host among the URLs
 * stands for it: the list of one request belongs to one distribution.
 */
export function createUrlIntake(domain: string | null): UrlIntake {
  const seen = createUrlSet();
  const hosts = new Set<string>();
  let distribution = domain !== null && isDistributionName(domain) ? domain : null;
  let duplicates = 0;
  return {
    add(raw) {
      const parsed = parseTargetUrl(raw, { domain: distribution });
      if ('fault' in parsed) return parsed;
      const { url, host } = parsed;
      if (distribution === null && isDistributionName(host)) distribution = host;
      if (hosts.size < MAX_HOSTS || host === distribution) hosts.add(host);
      const isNew = seen.add(url);
      if (!isNew) duplicates++;
      return { url, isNew };
    },
    get count() {
      return seen.size;
    },
    get duplicates() {
      return duplicates;
    },
    hosts: () => [...hosts],
  };
}
