import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { askEdge } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';

const startEdge = useEdges();

function resolverOf({ dnsServer }: { dnsServer: string }): Resolver {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([dnsServer]);
  return resolver;
}

function askByTcp(dnsServer: string, query: Packet): Promise<Packet> {
  const [ip = '', port = ''] = dnsServer.split(':');
  const message = encode(query);
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), ip, () => socket.write(Buffer.concat([prefix, message])));
    let reply = Buffer.alloc(0);
    socket.on('error', reject).on('data', (data) => {
      reply = Buffer.concat([reply, data]);
      if (reply.length < 2 || reply.length < 2 + reply.readUInt16BE(0)) return;
      socket.destroy();
      resolve(decode(reply.subarray(2)));
    });
  });
}

describe('the DNS server', () => {
  it('the DNS server knows every address of a POP by its name in any case, and nothing else', async () => {
    const edge = await startEdge({ bind: 'addresses', pops: [{ pop: 'SIN2-P1', addresses: 4 }, { pop: 'FRA56-P4' }] });
    const resolver = resolverOf(edge);
    const ips = (await resolver.resolve4('D111111ABCDEF8.sin2-p1.CloudFront.net')).sort();
    expect(ips.map((ip) => `${ip}:${edge.edgePort}`)).toEqual([...(edge.edgeMap['SIN2-P1'] ?? [])].sort());
    expect(new Set(ips).size).toBe(4);
    expect(await resolver.resolve4('d111111abcdef8.FRA56-P4.cloudfront.net')).toHaveLength(1);
    for (const name of ['d111111abcdef8.LHR50-P2.cloudfront.net', 'd222222abcdef8.SIN2-P1.cloudfront.net', 'example.test']) {
      await expect(resolver.resolve4(name)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    }
    await expect(resolver.resolve6('d111111abcdef8.SIN2-P1.cloudfront.net')).rejects.toMatchObject({ code: 'ENODATA' });
    expect(edge.dnsQuestions.get('d111111abcdef8.sin2-p1.cloudfront.net')).toBe(2);
  });

  it('the DNS server leads aliases and chains to the distribution', async () => {
    const edge = await startEdge({ aliases: ['www.example.test'], cnames: { 'a.test': 'b.test', 'b.test': 'www.example.test' } });
    const resolver = resolverOf(edge);
    expect(await resolver.resolveCname('www.example.test')).toEqual([edge.host]);
    expect(await resolver.resolve4('www.example.test')).toEqual(['127.0.0.1']);
    expect(await resolver.resolveCname('a.test')).toEqual(['b.test']);
    expect(await resolver.resolve4('a.test')).toEqual(['127.0.0.1']);
    expect((await askEdge(edge, { path: '/o/10/a', host: 'www.example.test' })).status).toBe(200);
  });

  it('the DNS server fails as it is set to, name by name, and recovers', async () => {
    const edge = await startEdge();
    const resolver = resolverOf(edge);
    const name = 'd111111abcdef8.SIN2-P1.cloudfront.net';
    const expected = { servfail: 'ESERVFAIL', empty: 'ENODATA', nxdomain: 'ENOTFOUND', silence: 'ETIMEOUT' } as const;
    for (const [fault, code] of Object.entries(expected)) {
      const stop = edge.setDnsFault(name.toUpperCase(), fault as keyof typeof expected);
      await expect(resolver.resolve4(name)).rejects.toMatchObject({ code });
      expect(await resolver.resolve4('d111111abcdef8.FRA56-P4.cloudfront.net')).toHaveLength(1);
      stop();
      expect(await resolver.resolve4(name)).toHaveLength(1);
    }
    edge.setDnsFault(name, 'servfail', 1);
    await expect(resolver.resolve4(name)).rejects.toMatchObject({ code: 'ESERVFAIL' });
    expect(await resolver.resolve4(name)).toHaveLength(1);
  });

  it('the DNS server makes a client use TCP when the answer is too long for a datagram', async () => {
    const edge = await startEdge({ bind: 'addresses', pops: [{ pop: 'SIN2-P1', addresses: 120 }] });
    const name = 'd111111abcdef8.SIN2-P1.cloudfront.net';
    const reply = await askByTcp(edge.dnsServer, { type: 'query', id: 7, questions: [{ type: 'A', name }] });
    expect([reply.id, reply.answers?.length]).toEqual([7, 120]);
    expect(await resolverOf(edge).resolve4(name)).toHaveLength(120);
  });
});
