import pLimit from 'p-limit';
import { type EdgeAddress, readStoredAddress } from '../pops/address.ts';
import type { PopResolution, PopResolver } from '../ports/pop-resolver.ts';
import type { PopRow, PopState } from '../request/request.ts';

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

/**
 * What the plan fixed for each of its POPs, so that all tasks of a POP get the same addresses, whichever share they belong to.
 * A POP of a plan that an earlier version made has addresses without their http ports, and is resolved anew.
 */
export async function fixedResolutions(
  resolver: PopResolver,
  domain: string | null,
  rows: readonly PopRow[],
): Promise<ReadonlyMap<string, PopResolution>> {
  const fixed = new Map<string, PopResolution>();
  const unknown: string[] = [];
  for (const { pop, state, addresses } of rows) {
    if (state !== 'resolved') {
      fixed.set(pop, { state, detail: await detailOf(resolver, domain, pop, state) });
      continue;
    }
    const stored = addresses.map(readStoredAddress).filter((address) => address !== null);
    if (stored.length > 0 && stored.length === addresses.length) fixed.set(pop, { state, addresses: stored });
    else unknown.push(pop);
  }
  for (const [pop, resolution] of await resolvePops(resolver, domain, unknown)) fixed.set(pop, resolution);
  return fixed;
}

/** Why the POP takes no downloads, in words, as far as it is still so; '' otherwise. */
async function detailOf(resolver: PopResolver, domain: string | null, pop: string, state: PopState): Promise<string> {
  const resolution = await resolver.resolvePop(domain, pop);
  return resolution.state === state && resolution.state !== 'resolved' ? resolution.detail : '';
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
