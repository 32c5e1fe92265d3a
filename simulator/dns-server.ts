import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, TRUNCATED_RESPONSE } from 'dns-packet';
import { canonicalName, type DnsZone } from './dns-zone.ts';
import { isAddressInUse } from './listener.ts';

/** What a name's questions meet instead of an answer: SERVFAIL, no reply at all, no records, or NXDOMAIN. */
export type DnsFault = 'servfail' | 'silence' | 'empty' | 'nxdomain';

export interface DnsServer {
  /** `127.0.0.1:port`, UDP and TCP. */
  readonly address: string;
  /** Questions asked so far, by name in lower case. */
  readonly questions: ReadonlyMap<string, number>;
  /** Replaces the name's answers, `times` times or until the returned function is called. */
  readonly setFault: (name: string, fault: DnsFault, times?: number) => () => void;
  close(): Promise<void>;
}

const IP = '127.0.0.1';
const RCODE = { servfail: 2, nxdomain: 3 } as const;
const PLAIN_UDP_BYTES = 512;
const BIND_ATTEMPTS = 20;

interface NameFault {
  readonly fault: DnsFault;
  left: number;
}

/** Null: stay silent. */
function replyTo(query: Packet, zone: DnsZone, fault: DnsFault | undefined): Packet | null {
  const question = query.questions?.[0];
  const base: Packet = { type: 'response', id: query.id ?? 0, flags: AUTHORITATIVE_ANSWER, questions: query.questions ?? [] };
  if (question === undefined || fault === 'silence') return null;
  if (fault === 'servfail') return { ...base, flags: RCODE.servfail };
  const answers = fault === 'empty' ? [] : fault === 'nxdomain' ? null : zone.lookUp(question.name, question.type);
  if (answers === null) return { ...base, flags: AUTHORITATIVE_ANSWER | RCODE.nxdomain };
  return { ...base, answers: [...answers] };
}

function udpLimit(query: Packet): number {
  for (const extra of query.additionals ?? []) if (extra.type === 'OPT') return Math.max(PLAIN_UDP_BYTES, extra.udpPayloadSize);
  return PLAIN_UDP_BYTES;
}

/** Answers each length-prefixed question of a TCP connection in turn; one that cannot be read ends the connection. */
function serveTcp(socket: Socket, answer: (message: Buffer) => Buffer | null): void {
  let pending = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const reply = answer(pending.subarray(2, end));
      pending = pending.subarray(end);
      if (reply === null) continue;
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([prefix, reply]));
    }
  });
}

function bindUdp(port: number): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const udp = createSocket('udp4');
    const fail = (error: Error) => {
      udp.close();
      reject(error);
    };
    udp.once('error', fail);
    udp.bind(port, IP, () => {
      udp.off('error', fail);
      udp.on('error', (error) => process.emitWarning(error));
      resolve(udp);
    });
  });
}

function listenTcp(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, IP, resolve);
  });
}

/** UDP and TCP must share a port, and the system chooses one for UDP only. */
async function bindBoth(tcp: Server, port: number): Promise<UdpSocket> {
  for (let attempt = 1; ; attempt++) {
    const udp = await bindUdp(port);
    try {
      await listenTcp(tcp, udp.address().port);
      return udp;
    } catch (error) {
      udp.close();
      if (port !== 0 || attempt === BIND_ATTEMPTS || !isAddressInUse(error)) throw error;
    }
  }
}

function decodeQuery(message: Buffer): Packet | null {
  try {
    const query = decode(message);
    return query.type === 'query' ? query : null;
  } catch {
    return null; // Junk gets no answer, as from any DNS server.
  }
}

/** A DNS server on loopback for the names of `zone`; NXDOMAIN for all others. Port 0: any that is free. */
export async function createDnsServer(zone: DnsZone, port = 0): Promise<DnsServer> {
  const faults = new Map<string, NameFault>();
  const questions = new Map<string, number>();
  const connections = new Set<Socket>();

  const answer = (message: Buffer, limit: (query: Packet) => number): Buffer | null => {
    const query = decodeQuery(message);
    if (query === null) return null;
    const name = canonicalName(query.questions?.[0]?.name ?? '');
    questions.set(name, (questions.get(name) ?? 0) + 1);
    const fault = faults.get(name);
    const strikes = fault !== undefined && fault.left-- > 0;
    const reply = replyTo(query, zone, strikes ? fault.fault : undefined);
    if (reply === null) return null;
    const bytes = encode(reply);
    return bytes.length <= limit(query) ? bytes : encode({ ...reply, answers: [], flags: (reply.flags ?? 0) | TRUNCATED_RESPONSE });
  };

  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serveTcp(socket, (message) => answer(message, () => Number.POSITIVE_INFINITY));
  });
  const udp = await bindBoth(tcp, port);
  udp.on('message', (message, { port, address }) => {
    const reply = answer(message, udpLimit);
    if (reply !== null) udp.send(reply, port, address);
  });

  return {
    address: `${IP}:${udp.address().port}`,
    questions,
    setFault(name, fault, times = Number.POSITIVE_INFINITY) {
      const key = canonicalName(name);
      const set: NameFault = { fault, left: times };
      faults.set(key, set);
      return () => {
        if (faults.get(key) === set) faults.delete(key);
      };
    },
    async close() {
      for (const socket of connections) socket.destroy();
      await Promise.all([new Promise<void>((resolve) => udp.close(resolve)), new Promise((resolve) => tcp.close(resolve))]);
    },
  };
}
