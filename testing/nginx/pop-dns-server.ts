import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode } from 'dns-packet';

const AUTHORITATIVE_ANSWER = 1 << 10;
const NXDOMAIN = 3;

/** Answers A questions for `<label>.<POP>.cloudfront.net` over UDP on 127.0.0.1, NXDOMAIN for every other name. */
export async function startPopDnsServer(
  label: string,
  pops: ReadonlyMap<string, readonly string[]>,
): Promise<{ readonly address: string; close(): Promise<void> }> {
  const zone = new Map([...pops].map(([pop, ips]) => [`${label}.${pop}.cloudfront.net`.toLowerCase(), ips]));
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const query = decode(bytes);
    const question = query.questions?.[0];
    const ips = question === undefined ? undefined : zone.get(question.name.toLowerCase());
    const answers = question?.type === 'A' ? (ips ?? []) : [];
    const reply = encode({
      type: 'response',
      id: query.id ?? 0,
      flags: AUTHORITATIVE_ANSWER | (ips === undefined ? NXDOMAIN : 0),
      questions: query.questions ?? [],
      answers: answers.map((ip) => ({ type: 'A' as const, name: question?.name ?? '', ttl: 60, data: ip })),
    });
    socket.send(reply, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
