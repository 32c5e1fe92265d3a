import { describe, expect, it } from 'vitest';
import { splitAddresses } from '../../../core/pops/address.ts';
import { warmTarget } from '../../../core/work/warm-target.ts';
import { Target } from '../../../core/work/target.ts';
import { setUp, URL_1 } from './warm-fixture.ts';

const IPV6 = { ip: '2600:9000:2000::1', port: 443, httpPort: 80 };
const isIpv4 = (ip: string) => !ip.includes(':');

function scene(fault: (ip: string) => 'connection' | 'tls' | null) {
  const under = setUp({ addresses: 2, fault: ({ address }) => (fault(address.ip) === null ? null : { error: fault(address.ip) }) });
  const context = { ...under.context, lastResort: [IPV6] };
  const warm = async (name: string) => {
    const target = new Target(`${URL_1}${name}`, { name: 'default', headers: [] }, false);
    await warmTarget(context, target, 0);
    return target;
  };
  return { ...under, context, warm };
}

describe('the IPv6 addresses of a POP beside IPv4 ones', () => {
  it('IPv6 addresses are recognised by their text, and are used alone where there are no others', () => {
    const ipv4 = { ip: '192.0.2.1', port: 443, httpPort: 80 };
    expect(splitAddresses([IPV6, ipv4])).toEqual({ first: [ipv4], lastResort: [IPV6] });
    expect(splitAddresses([IPV6])).toEqual({ first: [IPV6], lastResort: [] });
    expect(splitAddresses([ipv4])).toEqual({ first: [ipv4], lastResort: [] });
  });

  it('IPv6 addresses are not asked where an IPv4 address answers', async () => {
    const { warm, pop } = scene((ip) => (ip === '192.0.2.1' ? 'connection' : null));
    expect(await warm('a')).toMatchObject({ outcome: 'warmed', verified: true, isAtLastResort: false });
    expect(pop.asks.every(({ address }) => isIpv4(address.ip))).toBe(true);
  });

  it('IPv6 addresses are asked where no IPv4 address can be reached, and the notes say so', async () => {
    const { warm, pop } = scene((ip) => (isIpv4(ip) ? 'connection' : null));
    const first = await warm('a');
    expect(first).toMatchObject({ outcome: 'warmed', verified: true });
    expect(first.notes([IPV6], true)).toBe('verified;unreachable=192.0.2.1:443;unreachable=192.0.2.2:443');
    const before = pop.asks.length;
    expect(await warm('b')).toMatchObject({ outcome: 'warmed', verified: true });
    expect(pop.asks.slice(before).every(({ address }) => address.ip === IPV6.ip)).toBe(true);
  });

  it('IPv6 addresses that cannot be reached either leave a target failed, and the next target begins at IPv4 again', async () => {
    const { warm, pop } = scene(() => 'connection');
    expect(await warm('a')).toMatchObject({ outcome: 'failed', reason: 'connection' });
    const before = pop.asks.length;
    await warm('b');
    expect(isIpv4(pop.asks[before]?.address.ip ?? '')).toBe(true);
  });
});
