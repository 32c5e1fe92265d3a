import { withAccountDistributions } from '../../../adapters/aws/account-distributions.ts';
import { createDnsPopResolver } from '../../../adapters/dns/dns-pop-resolver.ts';
import { createEdgeMapResolver, parseEdgeMap } from '../../../adapters/dns/edge-map-resolver.ts';
import { describePopResolver } from '../contracts/pop-resolver.contract.ts';
import { openScriptedDnsServer } from './scripted-dns-server.ts';

const POPS: Readonly<Record<string, readonly string[]>> = {
  'SIN2-P1': ['13.32.0.9', '13.32.0.10', '10.0.0.1'],
  'FRA56-P4': ['10.0.0.1'],
};

async function openDns() {
  const dns = await openScriptedDnsServer((name, type) => {
    const pop = /^d111111abcdef8\.([a-z0-9-]+)\.cloudfront\.net$/.exec(name)?.[1]?.toUpperCase() ?? '';
    return type === 'A' ? (POPS[pop] ?? null) : null;
  });
  const resolver = createDnsPopResolver({ servers: dns.server, allowPrivateAddresses: false, timeoutMs: 2_000 });
  return { resolver, dispose: () => dns.close() };
}

describePopResolver('DNS', openDns);

describePopResolver('DNS behind the distributions of an account', async () => {
  const { resolver, dispose } = await openDns();
  return { resolver: withAccountDistributions(resolver, { findDistribution: async () => null }, () => undefined), dispose };
});

describePopResolver('An edge map', () => {
  const map = Object.fromEntries(Object.entries(POPS).map(([pop, ips]) => [pop, ips.map((ip) => `${ip}:443`)]));
  return { resolver: createEdgeMapResolver(parseEdgeMap(JSON.stringify(map), 'map'), { allowPrivateAddresses: false }) };
});
