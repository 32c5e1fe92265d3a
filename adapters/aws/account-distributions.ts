import { type CloudFrontClient, type DistributionSummary, ListDistributionsCommand } from '@aws-sdk/client-cloudfront';
import type { Clock } from '../../core/clock.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';
import { type AwsCall, attempt } from './aws-error.ts';

// A lazy import of this module brings the client along.
export { CloudFrontClient } from '@aws-sdk/client-cloudfront';

export interface AccountDistribution {
  readonly id: string;
  /** Its own name, `d111111abcdef8.cloudfront.net`, in lower case. */
  readonly domain: string;
  /** In lower case; may begin with `*.`. */
  readonly aliases: readonly string[];
}

/** A new distribution or alias takes minutes to be deployed anyway. */
const KEPT_MS = 5 * 60_000;
const LIST: AwsCall = { permissions: 'cloudfront:ListDistributions' };

/** Every distribution of the account, page by page, as far as they are asked for. */
export async function* listDistributions(client: CloudFrontClient): AsyncGenerator<AccountDistribution> {
  let marker: string | undefined;
  do {
    const { DistributionList: page } = await client.send(new ListDistributionsCommand(marker === undefined ? {} : { Marker: marker }));
    for (const summary of page?.Items ?? []) yield distributionOf(summary);
    marker = page?.IsTruncated ? page.NextMarker : undefined;
  } while (marker !== undefined);
}

function distributionOf({ Id: id = '', DomainName: domain = '', Aliases: aliases }: DistributionSummary): AccountDistribution {
  return { id, domain: domain.toLowerCase(), aliases: (aliases?.Items ?? []).map((alias) => alias.toLowerCase()) };
}

/** CloudFront takes the most specific name that fits, and `*.` stands for any number of labels. 0: the name does not fit. */
function specificity(name: string, host: string): number {
  if (name === host) return Number.POSITIVE_INFINITY;
  return name.startsWith('*.') && host.endsWith(name.slice(1)) ? name.length : 0;
}

/** Whether `host` is one of the distribution's names as they are written. */
export function isNamed({ domain, aliases }: AccountDistribution, host: string): boolean {
  return domain === host || aliases.includes(host);
}

/**
 * Finds the distribution that serves a host among those of the account, by its own name or its aliases. The list is
 * read when it is first needed, and kept for five minutes. Throws PrewarmError.
 */
export function createAccountDistributions(client: CloudFrontClient, clock: Clock): Pick<PopResolver, 'findDistribution'> {
  let kept: { readonly at: number; readonly list: Promise<readonly AccountDistribution[]> } | null = null;

  function listed(): Promise<readonly AccountDistribution[]> {
    if (kept !== null && Math.abs(clock.now() - kept.at) < KEPT_MS) return kept.list;
    const list = attempt('listing the distributions of the account', () => Array.fromAsync(listDistributions(client)), LIST);
    const reading = { at: clock.now(), list };
    kept = reading;
    list.catch(() => {
      if (kept === reading) kept = null;
    });
    return list;
  }

  return {
    async findDistribution(host) {
      const wanted = host.toLowerCase();
      let best = { domain: null as string | null, specificity: 0 };
      for (const { domain, aliases } of await listed()) {
        const found = Math.max(...[domain, ...aliases].map((name) => specificity(name, wanted)));
        if (found > best.specificity) best = { domain, specificity: found };
      }
      return best.domain;
    },
  };
}

/**
 * A resolver that looks for a host's distribution in the account first, and by the host's CNAME chain where that has none or may not be
 * asked: a list that is refused or throttled would hold up requests for distributions that DNS tells just as well.
 */
export function withAccountDistributions(
  resolver: PopResolver,
  account: Pick<PopResolver, 'findDistribution'>,
  tellFailure: (error: unknown) => void,
): PopResolver {
  async function findInAccount(host: string): Promise<string | null> {
    try {
      return await account.findDistribution(host);
    } catch (error) {
      tellFailure(error);
      return null;
    }
  }

  return {
    resolvePop: (domain, pop) => resolver.resolvePop(domain, pop),
    findDistribution: async (host) => (await findInAccount(host)) ?? resolver.findDistribution(host),
    hasAddress: async (host) => (await resolver.hasAddress?.(host)) ?? false,
  };
}

/** CloudFront has one endpoint per partition, and requests are signed for its region. `region` is any of the same partition. */
export function cloudFrontRegion(region: string): string {
  return region.startsWith('cn-') ? 'cn-northwest-1' : 'us-east-1';
}
