import type { StringAnswer } from 'dns-packet';

/** What the DNS server knows. Names are looked up in lower case, without a dot at the end. */
export interface DnsZone {
  /** Records for the name, following CNAMEs inside the zone for an A question; null: no such name. */
  lookUp(name: string, type: string): readonly StringAnswer[] | null;
}

export interface DnsZoneOptions {
  readonly host: string;
  readonly aliases: readonly string[];
  readonly cnames: Readonly<Record<string, string>>;
  /** Addresses by POP name. */
  readonly pops: ReadonlyMap<string, readonly string[]>;
}

/** As CloudFront's own. */
const TTL_S = 60;
const MAX_CHAIN = 16;

export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** `<label>.<POP>.<suffix>` for every POP, the distribution's own name (the first POP), and the aliases that lead to it. */
export function createDnsZone({ host, aliases, cnames, pops }: DnsZoneOptions): DnsZone {
  const addresses = new Map<string, readonly string[]>();
  const targets = new Map<string, string>(aliases.map((alias) => [canonicalName(alias), host]));
  for (const [name, target] of Object.entries(cnames)) targets.set(canonicalName(name), canonicalName(target));
  const [label = host, ...suffix] = host.split('.');
  for (const [pop, ips] of pops) {
    addresses.set(canonicalName([label, pop, ...suffix].join('.')), ips);
    if (!addresses.has(host)) addresses.set(host, ips);
  }

  return {
    lookUp(name, type) {
      const answers: StringAnswer[] = [];
      let at = canonicalName(name);
      if (!addresses.has(at) && !targets.has(at)) return null;
      for (let step = 0; step < MAX_CHAIN; step++) {
        const target = targets.get(at);
        const owner = answers.length === 0 ? name : at;
        if (target === undefined) {
          if (type === 'A') for (const data of addresses.get(at) ?? []) answers.push({ type: 'A', name: owner, ttl: TTL_S, data });
          break;
        }
        answers.push({ type: 'CNAME', name: owner, ttl: TTL_S, data: target });
        if (type === 'CNAME') break;
        at = target;
      }
      return answers;
    },
  };
}
