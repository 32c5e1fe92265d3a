import { createSocket } from 'node:dgram';
import { type Answer, decode, encode, type RecordType } from 'dns-packet';

/** Records; `null`: the name does not exist; `'servfail'`; `'silence'`. No records: the name exists without such a record. */
export type DnsReply = readonly string[] | null | 'servfail' | 'silence';

/** What to say to the `nth` question (from 1) for this name (lower case) and type. */
export type DnsScript = (name: string, type: RecordType, nth: number) => DnsReply;

export interface ScriptedDnsServer {
  /** `ip:port` */
  readonly server: string;
  /** `A name`, as asked. */
  readonly questions: readonly string[];
  close(): Promise<void>;
}

const NXDOMAIN = 3;
const SERVFAIL = 2;

export async function openScriptedDnsServer(script: DnsScript): Promise<ScriptedDnsServer> {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  socket.on('message', (message, from) => {
    const query = decode(message);
    const question = query.questions?.[0];
    if (question === undefined) return;
    const { name, type } = question;
    questions.push(`${type} ${name}`);
    const asked = questions.filter((earlier) => earlier === `${type} ${name}`).length;
    const reply = script(name.toLowerCase(), type, asked);
    if (reply === 'silence') return;
    const rcode = reply === null ? NXDOMAIN : reply === 'servfail' ? SERVFAIL : 0;
    const records = Array.isArray(reply) ? (reply as readonly string[]) : [];
    const answers = records.map((data) => ({ type, name, ttl: 60, data }) as Answer);
    const flags = 0x0180 | rcode;
    socket.send(encode({ type: 'response', id: query.id ?? 0, flags, questions: [question], answers }), from.port, from.address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return {
    server: `127.0.0.1:${socket.address().port}`,
    questions,
    close: () =>
      new Promise((resolve) => {
        socket.close(resolve);
      }),
  };
}
