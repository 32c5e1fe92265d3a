import pLimit from 'p-limit';
import type { EdgeAddress } from '../address.ts';
import type { PopResolution, PopResolver } from '../ports/pop-resolver.ts';

const RESOLVED_AT_ONCE = 16;

/** What each POP's name leads to now. */
export async function resolvePops(
  resolver: PopResolver,
  domain: string | null,
  pops: readonly string[],
): Promise<ReadonlyMap<string, PopResolution>> {
  const limit = pLimit(RESOLVED_AT_ONCE);
  const resolutions = await limit.map(pops, async (pop) => [pop, await resolver.resolvePop(domain, pop)] as const);
  return new Map(resolutions);
}

/** Addresses of the POP that resolves after `skip` others that do, in the order given; null: there is none. */
export async function firstResolved(
  resolver: PopResolver,
  domain: string | null,
  pops: Iterable<string>,
  skip: number,
): Promise<readonly EdgeAddress[] | null> {
  let left = skip;
  for (const pop of pops) {
    const resolution = await resolver.resolvePop(domain, pop);
    if (resolution.state !== 'resolved') continue;
    if (left === 0) return resolution.addresses;
    left -= 1;
  }
  return null;
}
