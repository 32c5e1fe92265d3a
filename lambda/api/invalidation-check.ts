import type { PopResolver } from '../../core/ports/pop-resolver.ts';

const OFF =
  'invalidating is off here; leave need_invalidate out, or set the parameter AllowedDomains of the stack to the name of the distribution (* for every one)';

/** CloudFront takes invalidations from the account that owns the distribution only: told at once, and not by a request that fails. */
export function createInvalidationCheck(
  account: Pick<PopResolver, 'findDistribution'>,
  isAllowed: boolean,
): (domain: string | null) => Promise<string | null> {
  return async (domain) => {
    if (!isAllowed) return OFF;
    if (domain === null) return 'nothing tells which distribution is to be invalidated; pass cf_domain, or leave need_invalidate out';
    if ((await account.findDistribution(domain)) !== null) return null;
    return `${domain} is no distribution of this AWS account, which alone can invalidate it; invalidate it there, and leave need_invalidate out`;
  };
}
