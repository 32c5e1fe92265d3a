import pLimit from 'p-limit';
import { domainQuestion, judgeDomain } from '../core/domain-question.ts';
import { InvalidInput } from '../core/errors.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';

const LOOKUPS_AT_ONCE = 8;

/**
 * The distribution's own name, from the domain given or the hosts of the list, by CNAME where neither says it.
 * Throws InvalidInput when it cannot be told, or the hosts belong to several.
 */
export async function findDomain(resolver: PopResolver, given: string | null, hosts: readonly string[]): Promise<string> {
  const question = domainQuestion(given, hosts);
  if (question.kind === 'known') return question.domain;
  const limit = pLimit(LOOKUPS_AT_ONCE);
  const answers = await Promise.all(
    question.hosts.map((host) => limit(async () => [host, await resolver.findDistribution(host)] as const)),
  );
  const verdict = judgeDomain(question, new Map(answers), { field: '--domain', hosts });
  if ('fault' in verdict) throw new InvalidInput([verdict.fault]);
  return verdict.domain;
}
