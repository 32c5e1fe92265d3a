import { describe, expect, onTestFinished, test } from 'vitest';
import { createHostAddresses } from '../../../adapters/dns/host-addresses.ts';
import { AddressTurn } from '../../../core/pops/address.ts';
import { openScriptedDnsServer } from '../../adapters/dns/scripted-dns-server.ts';

const at = (ip: string) => ({ ip, port: 443, httpPort: 80 });
const IPV4 = [at('192.0.2.1'), at('192.0.2.2')];
const IPV6 = [at('2001:db8::1'), at('2001:db8::2')];
const BOTH = [...IPV4, ...IPV6];
const MINUTE_MS = 60_000;

/** Sends `count` requests one after the other, each of them once more where it may be; `isDead` tells whom no connection comes to stand to. */
function open(addresses = BOTH) {
  let now = 0;
  let ordinal = 0;
  const turn = new AddressTurn(() => now);
  const ask = (isDead: (ip: string) => boolean) => {
    const address = turn.next(addresses, ordinal);
    if (address === undefined) throw new Error('there is no address');
    const dead = isDead(address.ip);
    return { ip: address.ip, mayGoOn: turn.note(addresses, address, { status: dead ? 0 : 200, unreached: dead }) };
  };
  const send = (count: number, isDead: (ip: string) => boolean) =>
    Array.from({ length: count }, () => {
      const asked = [ask(isDead)];
      if (asked[0]?.mayGoOn === true) asked.push(ask(isDead));
      ordinal += 1;
      return asked.map(({ ip }) => ip).join(' ');
    });
  return {
    turn,
    send,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const isIpv4 = (ip: string) => !ip.includes(':');
const isIpv6 = (ip: string) => ip.includes(':');
const FIRST = IPV4[0]?.ip ?? '';

describe('the addresses of a POP', () => {
  test('the addresses of a POP take turns, without the IPv6 ones beside them', () => {
    expect(open().send(4, isIpv6)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.2']);
    expect(open(IPV6).send(3, () => false)).toEqual(['2001:db8::1', '2001:db8::2', '2001:db8::1']);
  });

  test('the addresses of a POP stay in use when one is dead, and no other hides it', () => {
    expect(open().send(4, (ip) => ip === FIRST)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.2']);
  });

  test('the addresses of a POP give way to IPv6 once each was tried in vain, already for the request that found this', () => {
    expect(open().send(4, isIpv4)).toEqual(['192.0.2.1', '192.0.2.2 2001:db8::2', '2001:db8::1', '2001:db8::2']);
  });

  test('the IPv4 addresses of a POP come back when the IPv6 ones cannot be reached either', () => {
    expect(open().send(5, () => true)).toEqual(['192.0.2.1', '192.0.2.2 2001:db8::2', '2001:db8::1', '192.0.2.2', '192.0.2.1 2001:db8::1']);
  });

  test('one request tries the IPv4 addresses again after ten minutes, and they are in use again if it reaches one', () => {
    const { send, pass } = open();
    send(2, isIpv4);
    pass(9 * MINUTE_MS);
    expect(send(1, isIpv4)).toEqual(['2001:db8::1']);
    pass(MINUTE_MS);
    expect(send(2, isIpv4)).toEqual(['192.0.2.2 2001:db8::2', '2001:db8::1']);
    pass(10 * MINUTE_MS);
    expect(send(3, () => false)).toEqual(['192.0.2.2', '192.0.2.1', '192.0.2.2']);
  });

  test('the addresses of a POP stay in use after late answers, cancelled requests and lost connections', () => {
    const { turn, send } = open();
    const [address = at('')] = IPV4;
    for (let nth = 0; nth < 5; nth++) expect(turn.note(BOTH, address, { status: 0 })).toBe(false);
    expect(send(1, isIpv6)).toEqual([FIRST]);
    send(2, isIpv4);
    // Sent before the change, and answered after it: the addresses are there.
    expect(turn.note(BOTH, address, { status: 200, unreached: false })).toBe(false);
    expect(send(1, isIpv6)[0]).toMatch(/^192/);
  });
});

test('the DNS server that is named finds a host with IPv6 addresses alone', async () => {
  const records: Readonly<Record<string, readonly string[]>> = {
    'AAAA six.example.com': ['2600:9000::1'],
    'A both.example.com': ['192.0.2.1'],
    'AAAA both.example.com': ['2600:9000::1'],
  };
  const dns = await openScriptedDnsServer((name, type) => (name === 'none.example.com' ? null : (records[`${type} ${name}`] ?? [])));
  onTestFinished(() => dns.close());
  const find = createHostAddresses({ servers: dns.server, allowPrivateAddresses: true });
  expect(await find('six.example.com')).toEqual({ ip: '2600:9000::1' });
  expect(await find('both.example.com')).toEqual({ ip: '192.0.2.1' });
  expect(await find('none.example.com')).toMatchObject({ error: 'dns' });
});
