import { Resolver } from 'node:dns/promises';
import { sleep, systemClock } from '../../core/clock.ts';
import { retry } from '../../core/retry.ts';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { PopResolution, PopResolver } from '../../core/ports/pop-resolver.ts';
import { isDistributionName } from '../../core/request/url.ts';
import { type EdgeAddress, formatAddress } from '../../core/pops/address.ts';
import { isPublicAddress } from '../../core/pops/address-policy.ts';

export interface DnsPopResolverOptions {
  /** `ip:port` of the DNS server (several: comma-separated). Default: the system's. */
  readonly servers?: string;
  /** Port for https URLs. Default 443. */
  readonly edgePort?: number;
  /** Port for http URLs. Default 80. */
  readonly edgeHttpPort?: number;
  readonly allowPrivateAddresses: boolean;
  /** Silence after which a question is asked again. Default 2,000. */
  readonly timeoutMs?: number;
  /** How often a question is asked at most. Default 4. */
  readonly tries?: number;
}

const MAX_CNAME_STEPS = 8;
/** Some servers never answer a question for AAAA. */
const IPV6_WAIT_MS = 300;
const FIRST_PAUSE_MS = 100;
/** What is not there, and a name that DNS cannot carry: asking again changes nothing. */
const FINAL_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/** `absent`: the server says for certain that there is nothing. Anything else it says or does not say may be different next time. */
type DnsAnswer =
  | { readonly records: readonly string[] }
  | { readonly absent: 'ENOTFOUND' | 'ENODATA' }
  | { readonly unknown: string; readonly cause: unknown };

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

async function askDns(question: () => Promise<string[]>, tries: number): Promise<DnsAnswer> {
  const pauseMs = (tried: number) => FIRST_PAUSE_MS * 2 ** (tried - 1);
  try {
    const records = await retry(systemClock, { tries, pauseMs, mayPass: (error) => !FINAL_CODES.has(errorCode(error)) }, question);
    return records.length > 0 ? { records } : { absent: 'ENODATA' };
  } catch (cause) {
    const code = errorCode(cause);
    return code === 'ENOTFOUND' || code === 'ENODATA' ? { absent: code } : { unknown: code, cause };
  }
}

function createResolver(options: DnsPopResolverOptions): Resolver {
  const resolver = new Resolver({ timeout: options.timeoutMs ?? 2_000, tries: 1 });
  if (options.servers === undefined) return resolver;
  try {
    resolver.setServers(options.servers.split(',').map((server) => server.trim()));
  } catch {
    throw new InvalidInput([
      inputFault('--dns-server', options.servers, 'is no address; write IP:PORT, as in 10.0.0.2:53 or [fd00::2]:53'),
    ]);
  }
  return resolver;
}

function unresolvable(detail: string): PopResolution {
  return { state: 'pop_unresolvable', detail };
}

/** A, then AAAA: IPv6 addresses are asked where no IPv4 one answers. Beside others they are not waited for. */
async function lookUp(resolver: Resolver, name: string, tries: number): Promise<DnsAnswer> {
  const ipv4 = await askDns(() => resolver.resolve4(name), tries);
  // A name that does not exist has neither.
  if ('unknown' in ipv4 || ('absent' in ipv4 && ipv4.absent !== 'ENODATA')) return ipv4;
  if ('absent' in ipv4) return askDns(() => resolver.resolve6(name), tries);
  const more = await Promise.race([askDns(() => resolver.resolve6(name), 1), sleep(systemClock, IPV6_WAIT_MS)]);
  return more !== undefined && 'records' in more ? { records: [...ipv4.records, ...more.records] } : ipv4;
}

/**
 * Finds POPs by the names CloudFront gives them, `<label>.<POP>.cloudfront.net` (in public use, not documented by AWS).
 * Throws InvalidInput for a server that is no address; `findDistribution` throws PrewarmError `dns` when the server fails.
 */
export function createDnsPopResolver(options: DnsPopResolverOptions): PopResolver {
  const resolver = createResolver(options);
  const tries = options.tries ?? 4;
  const port = options.edgePort ?? 443;
  const httpPort = options.edgeHttpPort ?? 80;

  return {
    async resolvePop(domain, pop) {
      const distribution = (domain ?? '').toLowerCase();
      if (!isDistributionName(distribution)) {
        return unresolvable(`POPs have names under the distribution's own, such as d111111abcdef8.cloudfront.net, not under ${domain}`);
      }
      const name = distribution.replace('.', `.${pop}.`);
      const answer = await lookUp(resolver, name, tries);
      if ('absent' in answer) return unresolvable(`${name} ${answer.absent === 'ENOTFOUND' ? 'does not exist' : 'has no address'}`);
      if ('unknown' in answer) return unresolvable(`${name}: the DNS server gave no answer in ${tries} tries (${answer.unknown})`);
      const found = answer.records.map((ip) => ({ ip, port, httpPort }));
      return allowedAddresses(name, found, options.allowPrivateAddresses);
    },

    async findDistribution(host) {
      let name = host.toLowerCase();
      for (let step = 0; step < MAX_CNAME_STEPS; step++) {
        const current = name;
        if (isDistributionName(current)) return current;
        const answer = await askDns(() => resolver.resolveCname(current), tries);
        if ('absent' in answer) return null;
        if ('unknown' in answer) {
          const message = `${host}: the DNS server gave no answer in ${tries} tries (${answer.unknown}); try again, or pass --domain`;
          throw new PrewarmError('dns', message, { cause: answer.cause });
        }
        name = (answer.records[0] ?? '').toLowerCase();
      }
      return isDistributionName(name) ? name : null;
    },

    hasAddress: async (host) => 'records' in (await lookUp(resolver, host, tries)),
  };
}

const SHOWN_ADDRESSES = 8;

/** What remains of a POP's addresses: sorted, each once, private and reserved ones left out unless allowed. */
export function allowedAddresses(name: string, found: readonly EdgeAddress[], allowPrivate: boolean): PopResolution {
  const distinct = new Map(found.map((address) => [`${formatAddress(address.ip, address.port)} ${address.httpPort}`, address]));
  const sorted = [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, address]) => address);
  const addresses = allowPrivate ? sorted : sorted.filter(({ ip }) => isPublicAddress(ip));
  if (addresses.length > 0) return { state: 'resolved', addresses };
  const refused = sorted.slice(0, SHOWN_ADDRESSES).map(({ ip }) => ip);
  return {
    state: 'address_refused',
    detail: `${name} has private or reserved addresses only (${refused.join(', ')}); --allow-private-addresses lets them be used`,
  };
}
