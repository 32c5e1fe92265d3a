import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { EdgeAddress } from '../../../core/pops/address.ts';
import type { ServerCertificate } from '../../../simulator/edge-certificates.ts';

/** One request as it came over the wire. */
interface ReceivedRequest {
  /** `GET /path HTTP/1.1` */
  readonly line: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly servername: string | false;
  readonly resumed: boolean;
  /** 1-based, over all connections. */
  readonly connection: number;
  /** 1-based, on its connection. */
  readonly onConnection: number;
  /** Resets the connection, below any TLS. */
  readonly reset: () => void;
}

/** Writes whatever bytes the test wants to be answered. */
export type Script = (socket: Socket, request: ReceivedRequest) => void | Promise<void>;

export interface ScriptedEdge {
  readonly address: EdgeAddress;
  readonly requests: readonly ReceivedRequest[];
  /** Connections that stood, so far. */
  readonly connections: number;
  /** Connections that stand now. */
  open(): number;
  close(): Promise<void>;
}

function parseHead(head: string): { line: string; headers: Record<string, string> } {
  const [line = '', ...rest] = head.split('\r\n');
  const pairs = rest.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()] as const);
  return { line, headers: Object.fromEntries(pairs) };
}

/** A server on loopback that parses requests and leaves every byte of the answers to `script`. Without a certificate: plain TCP. */
export async function openScriptedEdge(certificate: ServerCertificate | null, script: Script): Promise<ScriptedEdge> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let failure: unknown;

  const serve = (socket: Socket) => {
    const connection = ++connections;
    let onConnection = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const tls = socket as Partial<TLSSocket>;
        const request: ReceivedRequest = {
          ...parseHead(text.slice(0, end)),
          servername: (tls.servername as string | undefined) ?? false,
          resumed: tls.isSessionReused?.() ?? false,
          connection,
          onConnection: ++onConnection,
          reset: () => void [...sockets].find(({ remotePort }) => remotePort === socket.remotePort)?.resetAndDestroy(),
        };
        text = text.slice(end + 4);
        requests.push(request);
        const run = async () => script(socket, request);
        run().catch((error: unknown) => {
          failure = error;
        });
      }
    });
  };
  const server: Server =
    certificate === null ? createTcpServer(serve) : createTlsServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, serve);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => {}));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    address: { ip: '127.0.0.1', port: bound.port, httpPort: bound.port },
    requests,
    get connections() {
      return connections;
    },
    open: () => sockets.size,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      if (failure !== undefined) throw failure;
    },
  };
}

/** An ordinary answer. */
export function answer(body: string, headers: Readonly<Record<string, string>> = {}, status = '200 OK'): string {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), connection: 'keep-alive', ...headers });
  return `HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}
