import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** What happens to one call on its way: refused before it is done, done and the answer lost, or done by half. */
type DynamoFault = 'throttled' | 'conflict' | 'lost answer' | 'half';

export interface FaultyDynamo {
  readonly endpoint: string;
  /** Faults that happened so far. */
  readonly happened: Readonly<Record<DynamoFault, number>>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const NAMESPACE = 'com.amazonaws.dynamodb.v20120810#';

function refusal(name: string, more: object = {}): Answer {
  return { status: 400, body: JSON.stringify({ __type: `${NAMESPACE}${name}`, message: 'by a fault', ...more }) };
}

async function read(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function forward(target: string, { headers, method }: IncomingMessage, body: string): Promise<Answer> {
  const { 'content-length': _length, ...kept } = headers;
  const asked = request(target, { method, headers: { ...kept, 'content-length': Buffer.byteLength(body) } });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: await read(answer) };
}

interface Keys {
  readonly Keys: readonly unknown[];
}

/** Reads every other key, and reports the rest as DynamoDB does when it has read enough. */
async function readHalf(body: string, ask: (body: string) => Promise<Answer>): Promise<Answer> {
  const input = JSON.parse(body) as { RequestItems: Record<string, Keys> };
  const taken: Record<string, Keys> = {};
  const left: Record<string, Keys> = {};
  for (const [table, each] of Object.entries(input.RequestItems)) {
    const keys = { taken: each.Keys.filter((_, at) => at % 2 === 0), left: each.Keys.filter((_, at) => at % 2 === 1) };
    taken[table] = { ...each, Keys: keys.taken };
    if (keys.left.length > 0) left[table] = { ...each, Keys: keys.left };
  }
  const { status, body: answered } = await ask(JSON.stringify({ ...input, RequestItems: taken }));
  return { status, body: JSON.stringify({ ...(JSON.parse(answered) as object), UnprocessedKeys: left }) };
}

/** Which fault there is to the `nth` call (from 1) of an operation such as `PutItem`; null: none. */
export type Decide = (operation: string, nth: number) => DynamoFault | null;

/** Stands between a client and the emulated DynamoDB at `target`. */
export async function startFaultyDynamo(target: string, decide: Decide): Promise<FaultyDynamo> {
  const happened: Record<DynamoFault, number> = { throttled: 0, conflict: 0, 'lost answer': 0, half: 0 };
  const calls = new Map<string, number>();

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(message);
    const operation = String(message.headers['x-amz-target']).split('.').at(-1) ?? '';
    const nth = (calls.get(operation) ?? 0) + 1;
    calls.set(operation, nth);
    const fault = decide(operation, nth);
    if (fault !== null) happened[fault] += 1;
    const ask = (asked: string) => forward(target, message, asked);
    let result: Answer;
    if (fault === 'throttled') result = refusal('ThrottlingException');
    else if (fault === 'conflict') {
      const writes = (JSON.parse(body) as { TransactItems: unknown[] }).TransactItems;
      const reasons = writes.map((_, at) => ({ Code: at === 0 ? 'TransactionConflict' : 'None' }));
      result = refusal('TransactionCanceledException', { CancellationReasons: reasons });
    } else if (fault === 'half') result = await readHalf(body, ask);
    else result = await ask(body);
    if (fault === 'lost answer') response.destroy();
    else response.writeHead(result.status, { 'content-type': 'application/x-amz-json-1.0' }).end(result.body);
  }

  const server = createServer((message, response) => {
    answer(message, response).catch((error: unknown) => response.destroy(error as Error));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    happened,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
