import pLimit from 'p-limit';
import { domainQuestion, judgeDomain } from './domain-question.ts';
import { InvalidInput } from '../errors.ts';
import type { PopResolver } from '../ports/pop-resolver.ts';

const LOOKUPS_AT_ONCE = 8;
/** Of the hosts that are named in the message, which are the first three. */
const HIDDEN_LOOKUPS = 3;

/**
 * The distribution's own name, from the domain given or the hosts of the list, by CNAME where neither says it. `field` is
 * the domain's, as the user knows it. Throws InvalidInput when it cannot be told, or the hosts belong to several.
 */
export async function findDomain(
  resolver: Pick<PopResolver, 'findDistribution' | 'hasAddress'>,
  asked: { readonly given: string | null; readonly hosts: readonly string[]; readonly field: string },
): Promise<string> {
  const { given, hosts, field } = asked;
  const question = domainQuestion(given, hosts);
  if (question.kind === 'known') return question.domain;
  const limit = pLimit(LOOKUPS_AT_ONCE);
  const answers = await Promise.all(
    question.hosts.map((host) => limit(async () => [host, await resolver.findDistribution(host)] as const)),
  );
  const isFound = answers.some(([, domain]) => domain !== null);
  const hidden = isFound ? null : await findHidden(resolver, question.hosts);
  const verdict = judgeDomain(question, new Map(answers), { field, hosts, hidden });
  if ('fault' in verdict) throw new InvalidInput([verdict.fault]);
  return verdict.domain;
}

/** The first of the hosts that leads somewhere, if not by a CNAME record; null: none, or nobody can tell. */
async function findHidden(resolver: Pick<PopResolver, 'hasAddress'>, hosts: readonly string[]): Promise<string | null> {
  for (const host of hosts.slice(0, HIDDEN_LOOKUPS)) if ((await resolver.hasAddress?.(host)) === true) return host;
  return null;
}
