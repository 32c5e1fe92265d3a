import { once } from 'node:events';
import { Agent, createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { billCall, type WireCall } from './cost-bill.ts';
import { type AskDynamo, billDynamo, type DynamoCall, isWrite } from './cost-dynamo-bill.ts';
import { addUsage, NO_USAGE, type Usage } from './cost-usage.ts';

/** What one caller has used so far. */
interface Metered {
  readonly usage: Usage;
  /** Calls by name. */
  readonly calls: ReadonlyMap<string, number>;
}

/**
 * Stands before an emulated account, passes every call on, and counts what AWS would bill of it. Each caller has an address of
 * its own, so that it is known who used what.
 */
export interface CostMeter {
  /** `http://127.0.0.1:port` for that caller. */
  open(caller: string): Promise<string>;
  read(caller: string): Metered;
  /** Details of the events that were sent to a bus since the last call. */
  takeEvents(): readonly unknown[];
  close(): Promise<void>;
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

type Account = (method: string, path: string, headers: IncomingHttpHeaders, body: Buffer) => Promise<Answered>;

const LISTEN_ON = '127.0.0.1';

function connectAccount(endpoint: string, agent: Agent): Account {
  const { hostname, port } = new URL(endpoint);
  return async (method, path, headers, body) => {
    const asked = request({ hostname, port, method, path, headers: { ...headers, 'content-length': body.length }, agent });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
  };
}

/** Of `Credential=<key>/<day>/<region>/<service>/aws4_request`. */
function serviceOf({ authorization = '' }: IncomingHttpHeaders): string {
  const service = /Credential=[^/]+\/[^/]+\/[^/]+\/([^/]+)\//.exec(authorization)?.[1];
  if (service === undefined) throw new Error('a call that names no service');
  return service;
}

/** Credentials whose signature nobody looks at. */
const UNSIGNED = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=111122223333/20261121/eu-west-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;

/** Asks DynamoDB past the meter. */
function askPast(account: Account): AskDynamo {
  return async (operation, asked) => {
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization: UNSIGNED('dynamodb'),
    };
    const { status, body } = await account('POST', '/', headers, Buffer.from(JSON.stringify(asked)));
    if (status !== 200) throw new Error(`${operation}: ${body.toString()}`);
    return JSON.parse(body.toString()) as Awaited<ReturnType<AskDynamo>>;
  };
}

const parse = (bytes: Buffer) => JSON.parse(bytes.toString() || '{}') as object;

interface Passed {
  readonly call: WireCall;
  readonly answered: Answered;
}

export function createCostMeter(endpoint: string): CostMeter {
  const agent = new Agent({ keepAlive: true });
  const account = connectAccount(endpoint, agent);
  const ask = askPast(account);
  const metered = new Map<string, { usage: Usage; readonly calls: Map<string, number> }>();
  const servers: Server[] = [];
  let events: unknown[] = [];

  function add(caller: string, name: string, usage: Partial<Usage>): void {
    const of = metered.get(caller);
    if (of === undefined) throw new Error(`nobody is called ${caller}`);
    of.usage = addUsage(of.usage, usage);
    of.calls.set(name, (of.calls.get(name) ?? 0) + 1);
  }

  async function passOn(asked: IncomingMessage): Promise<Passed> {
    const { method = '', url: path = '', headers } = asked;
    const target = String(headers['x-amz-target'] ?? '');
    const service = serviceOf(headers);
    let body = await buffer(asked);
    // The emulator looks at no signature, so the question for the units may be put in here.
    if (service === 'dynamodb' && isWrite(target.slice(target.indexOf('.') + 1))) {
      body = Buffer.from(JSON.stringify({ ...parse(body), ReturnConsumedCapacity: 'TOTAL' }));
    }
    const { 'transfer-encoding': _, ...passed } = headers;
    const answered = await account(method, path, passed, body);
    return { call: { service, method, path, target, body, answer: answered.body }, answered };
  }

  async function bill(caller: string, { call, answered }: Passed): Promise<void> {
    if (call.service !== 'dynamodb') {
      const { name, usage } = billCall(call);
      add(caller, name, usage);
      if (name !== 'events PutEvents') return;
      for (const { Detail } of (parse(call.body) as { Entries: readonly { Detail: string }[] }).Entries) events.push(JSON.parse(Detail));
      return;
    }
    const operation = call.target.slice(call.target.indexOf('.') + 1);
    const { status } = answered;
    const dynamoCall = { operation, request: parse(call.body), status, answer: parse(call.answer) } as DynamoCall;
    add(caller, `dynamodb ${operation}${status === 200 ? '' : ' (refused)'}`, await billDynamo(dynamoCall, ask));
  }

  async function serve(caller: string, asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const passed = await passOn(asked);
    await bill(caller, passed);
    const { status, headers, body } = passed.answered;
    const { 'transfer-encoding': _, ...kept } = headers;
    const length = asked.method === 'HEAD' ? {} : { 'content-length': body.length };
    response.writeHead(status, { ...kept, ...length }).end(body);
  }

  return {
    async open(caller) {
      metered.set(caller, { usage: NO_USAGE, calls: new Map() });
      const server = createServer((asked, response) => {
        serve(caller, asked, response).catch((error: unknown) => {
          process.stderr.write(`the meter of ${caller}: ${String(error)}\n`);
          response.destroy();
        });
      }).listen(0, LISTEN_ON);
      servers.push(server);
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
      return `http://${LISTEN_ON}:${address.port}`;
    },
    read(caller) {
      const of = metered.get(caller);
      if (of === undefined) throw new Error(`nobody is called ${caller}`);
      return { usage: of.usage, calls: new Map(of.calls) };
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
      agent.destroy();
    },
  };
}
