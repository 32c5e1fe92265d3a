import { afterEach, describe, expect, test } from 'vitest';
import { createDnsPopResolver, type DnsPopResolverOptions } from '../../../adapters/dns/dns-pop-resolver.ts';
import { type DnsReply, type DnsScript, openScriptedDnsServer, type ScriptedDnsServer } from './scripted-dns-server.ts';

let server: ScriptedDnsServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function openResolver(script: DnsScript, options: Partial<DnsPopResolverOptions> = {}) {
  server = await openScriptedDnsServer(script);
  const resolver = createDnsPopResolver({ servers: server.server, allowPrivateAddresses: false, timeoutMs: 300, tries: 3, ...options });
  return { resolver, questions: server.questions };
}

/** Records by `TYPE name`; other names do not exist. */
const zone = (records: Readonly<Record<string, DnsReply>>): DnsScript => {
  return (name, type) => {
    const reply = records[`${type} ${name}`];
    if (reply !== undefined) return reply;
    return Object.keys(records).some((key) => key.endsWith(` ${name}`)) ? [] : null;
  };
};

const DOMAIN = 'd111111abcdef8.cloudfront.net';
const NAME = 'd111111abcdef8.sin2-p1.cloudfront.net';

describe('resolvePop', () => {
  test("resolvePop asks for the POP's name under the distribution's label and gives its addresses sorted, each once", async () => {
    const { resolver, questions } = await openResolver(zone({ [`A ${NAME}`]: ['13.32.0.9', '13.32.0.10', '13.32.0.9'] }), {
      edgePort: 8443,
    });
    const addresses = ['13.32.0.10', '13.32.0.9'].map((ip) => ({ ip, port: 8443, httpPort: 80 }));
    expect(await resolver.resolvePop(DOMAIN, 'SIN2-P1')).toEqual({ state: 'resolved', addresses });
    expect(questions).toEqual([`A ${NAME}`, `AAAA ${NAME}`]);
  });

  test('resolvePop finds POPs in China under .cloudfront.cn', async () => {
    const { resolver } = await openResolver(zone({ 'A d222.bjs9-e1.cloudfront.cn': ['13.32.0.1'] }));
    expect(await resolver.resolvePop('D222.cloudfront.cn', 'BJS9-E1')).toMatchObject({
      state: 'resolved',
      addresses: [{ port: 443, httpPort: 80 }],
    });
  });

  test('resolvePop gives IPv6 addresses behind the IPv4 ones, and does not wait for a server that never answers for AAAA', async () => {
    const both = { [`A ${NAME}`]: ['13.32.0.9'], [`AAAA ${NAME}`]: ['2600:9000:2000::1', 'fd00::1'] };
    const ips = async (script: DnsScript) => {
      const resolution = await (await openResolver(script)).resolver.resolvePop(DOMAIN, 'SIN2-P1');
      await server?.close();
      server = undefined;
      return resolution.state === 'resolved' ? resolution.addresses.map(({ ip }) => ip) : resolution;
    };
    expect(await ips(zone(both))).toEqual(['13.32.0.9', '2600:9000:2000::1']);
    expect(await ips(zone({ ...both, [`AAAA ${NAME}`]: 'silence' }))).toEqual(['13.32.0.9']);
    expect(await ips(zone({ ...both, [`AAAA ${NAME}`]: 'servfail' }))).toEqual(['13.32.0.9']);
  });

  test('resolvePop asks for A first, and gives AAAA alone where there is no A', async () => {
    const { resolver, questions } = await openResolver(zone({ [`AAAA ${NAME}`]: ['2600:9000:2000::1'] }));
    expect(await resolver.resolvePop(DOMAIN, 'SIN2-P1')).toMatchObject({ state: 'resolved', addresses: [{ ip: '2600:9000:2000::1' }] });
    expect(questions.map((question) => question.split(' ')[0])).toEqual(['A', 'AAAA']);
  });

  test.each([
    ['a name that does not exist', () => null, 'does not exist', 1],
    ['a name without addresses', () => [], 'has no address', 2],
    ['a server that fails every time', () => 'servfail', 'ESERVFAIL', 3],
    ['a server that stays silent', () => 'silence', 'ETIMEOUT', 3],
  ] satisfies [string, DnsScript, string, number][])('resolvePop reports %s as pop_unresolvable', async (_what, script, detail, asked) => {
    const { resolver, questions } = await openResolver(script);
    const resolution = await resolver.resolvePop(DOMAIN, 'SIN2-P1');
    expect(resolution).toMatchObject({ state: 'pop_unresolvable', detail: expect.stringContaining(detail) });
    expect(questions).toHaveLength(asked);
  });

  test('resolvePop believes a server that fails, then stays silent, then answers', async () => {
    const { resolver } = await openResolver((_name, _type, nth) => (nth === 1 ? 'servfail' : nth === 2 ? 'silence' : ['13.32.0.1']));
    expect(await resolver.resolvePop(DOMAIN, 'SIN2-P1')).toMatchObject({ state: 'resolved' });
  });

  test('resolvePop leaves private addresses out, and refuses a POP that has no others', async () => {
    const records = { [`A ${NAME}`]: ['10.0.0.1', '13.32.0.1', '127.0.0.1'], 'A d111111abcdef8.fra56-p4.cloudfront.net': ['192.168.0.1'] };
    const { resolver } = await openResolver(zone(records));
    expect(await resolver.resolvePop(DOMAIN, 'SIN2-P1')).toMatchObject({ state: 'resolved', addresses: [{ ip: '13.32.0.1' }] });
    expect(await resolver.resolvePop(DOMAIN, 'FRA56-P4')).toMatchObject({
      state: 'address_refused',
      detail: expect.stringContaining('192.168.0.1'),
    });
  });

  test('resolvePop uses private addresses where they are allowed', async () => {
    const { resolver } = await openResolver(zone({ [`A ${NAME}`]: ['127.0.0.1'] }), { allowPrivateAddresses: true });
    expect(await resolver.resolvePop(DOMAIN, 'SIN2-P1')).toMatchObject({ state: 'resolved', addresses: [{ ip: '127.0.0.1' }] });
  });

  test("resolvePop asks nothing where the domain is no distribution's own name", async () => {
    const { resolver, questions } = await openResolver(() => ['13.32.0.1']);
    for (const domain of [null, 'www.example.com']) {
      expect(await resolver.resolvePop(domain, 'SIN2-P1')).toMatchObject({ state: 'pop_unresolvable' });
    }
    expect(questions).toEqual([]);
  });

  test('the resolver refuses a server that is no address by its flag', () => {
    expect(() => createDnsPopResolver({ servers: 'dns.example', allowPrivateAddresses: false })).toThrow(/--dns-server.*dns\.example/);
  });
});

describe('findDistribution', () => {
  const chain =
    (length: number): DnsScript =>
    (name) => {
      const step = Number(/^h(\d+)\./.exec(name)?.[1] ?? Number.NaN);
      return [step === length - 1 ? 'D111111ABCDEF8.cloudfront.net' : `h${step + 1}.example.com`];
    };

  test('findDistribution follows CNAMEs to the distribution, at most eight of them', async () => {
    const eight = await openResolver(chain(8));
    expect(await eight.resolver.findDistribution('H0.example.com')).toBe(DOMAIN);
    expect(eight.questions).toHaveLength(8);
    await server?.close();
    const nine = await openResolver(chain(9));
    expect(await nine.resolver.findDistribution('h0.example.com')).toBeNull();
  });

  test("findDistribution asks nothing about a distribution's own name", async () => {
    const { resolver, questions } = await openResolver(() => null);
    expect(await resolver.findDistribution(DOMAIN)).toBe(DOMAIN);
    expect(questions).toEqual([]);
  });

  test("findDistribution gives null where the chain ends elsewhere, at a POP's own name too", async () => {
    const records = {
      'CNAME www.example.com': ['other.example.net'],
      'A other.example.net': ['13.32.0.1'],
      'CNAME pop.example.com': [NAME],
      [`A ${NAME}`]: ['13.32.0.1'],
    };
    const { resolver } = await openResolver(zone(records));
    for (const host of ['www.example.com', 'pop.example.com', 'missing.example.com'])
      expect(await resolver.findDistribution(host)).toBeNull();
  });

  test('findDistribution knows by A or AAAA whether a host has an address', async () => {
    const records = {
      'A four.example.com': ['192.0.2.1'],
      'AAAA six.example.com': ['2001:db8::1'],
      'CNAME c.example.com': ['x.example.com'],
    };
    const { resolver } = await openResolver(zone(records));
    const has = await Promise.all(['four', 'six', 'c', 'none'].map(async (name) => resolver.hasAddress?.(`${name}.example.com`)));
    expect(has).toEqual([true, true, false, false]);
  });

  test('findDistribution reports a failing server as an error, not as "none"', async () => {
    const { resolver } = await openResolver(() => 'servfail');
    await expect(resolver.findDistribution('www.example.com')).rejects.toMatchObject({
      code: 'dns',
      message: expect.stringContaining('--domain'),
    });
  });
});
