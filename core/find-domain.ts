import pLimit from 'p-limit';
import { domainQuestion, judgeDomain } from './domain-question.ts';
import { InvalidInput } from './errors.ts';
import type { PopResolver } from './ports/pop-resolver.ts';

const LOOKUPS_AT_ONCE = 8;

/**
 * The distribution's own name, from the domain given or the hosts of the list, by CNAME where neither says it. `field` is
 * the domain's, as the user knows it. Throws InvalidInput when it cannot be told, or the hosts belong to several.
 */
export async function findDomain(
  resolver: Pick<PopResolver, 'findDistribution'>,
  asked: { readonly given: string | null; readonly hosts: readonly string[]; readonly field: string },
): Promise<string> {
  const { given, hosts, field } = asked;
  const question = domainQuestion(given, hosts);
  if (question.kind === 'known') return question.domain;
  const limit = pLimit(LOOKUPS_AT_ONCE);
  const answers = await Promise.all(
    question.hosts.map((host) => limit(async () => [host, await resolver.findDistribution(host)] as const)),
  );
  const verdict = judgeDomain(question, new Map(answers), { field, hosts });
  if ('fault' in verdict) throw new InvalidInput([verdict.fault]);
  return verdict.domain;
}
