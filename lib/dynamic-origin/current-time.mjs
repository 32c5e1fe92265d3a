// The time, as JSON, and on what connection it was asked for: an origin to try keep-warm on. One file, Node 24, no packages.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';

/**
 * Settings, from the environment:
 * HOST              address to listen at; default: all
 * PORT              default: 443 with a certificate, else 80
 * KEEP_ALIVE_S      idle connections are closed after so many seconds, 1 to 3600; default 75: CloudFront's 60 must end first
 * TLS_PEM_FILE      a file with certificate chain and key, as PEM or as JSON {"chain": PEM, "key": PEM}; or TLS_PEM, the same as text
 * Neither: HTTP. Faults are all told together, and end the process with 2.
 */
const DEFAULT_KEEP_ALIVE_S = 75;
const MAX_CONNECTIONS = 5000;
/** For the head of a request, from its first byte; nobody is waited for longer. */
const REQUEST_TIMEOUT_MS = 10_000;
/** What is under way when the service is to end may take this long. */
const DRAIN_MS = 5000;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/;

/** @param {string} name @param {number} from @param {number} to @param {number} fallback @param {string[]} faults */
function readNumber(name, from, to, fallback, faults) {
  const text = process.env[name] ?? '';
  if (text === '') return fallback;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  faults.push(`${name}: ${JSON.stringify(text)}: write a whole number from ${from} to ${to}`);
  return fallback;
}

/** @param {string} text */
function pemOf(text) {
  if (!text.trimStart().startsWith('{')) return text;
  const { chain, key } = JSON.parse(text);
  return `${chain}\n${key}`;
}

/** What is wrong with a certificate, without a word of it. */
class Unusable extends Error {}

/** Chain and key, checked against each other; null: there is none to be used. @param {string[]} faults */
function readCertificate(faults) {
  const { TLS_PEM_FILE: file = '', TLS_PEM: text = '' } = process.env;
  if (file === '' && text === '') return null;
  const name = file === '' ? 'TLS_PEM' : 'TLS_PEM_FILE';
  try {
    const pem = pemOf(file === '' ? text : readFileSync(file, 'utf8'));
    const chain = pem.match(CERTIFICATE) ?? [];
    const key = KEY.exec(pem)?.[0];
    if (chain[0] === undefined || key === undefined) throw new Unusable('holds no certificate chain with its private key, both as PEM');
    const leaf = new X509Certificate(chain[0]);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Unusable('has a key that is not the first certificate’s');
    if (new Date(leaf.validTo) < new Date()) throw new Unusable(`has a certificate that ended at ${leaf.validTo}`);
    return { cert: chain.join('\n'), key };
  } catch (error) {
    // The message of a parser may quote what it read, and that is a key.
    const isReadError = error instanceof Error && 'syscall' in error;
    const known = error instanceof Unusable || isReadError ? error.message : 'is neither PEM nor JSON with chain and key as PEM';
    faults.push(`${name}: ${known}`);
    return null;
  }
}

function readSettings() {
  /** @type {string[]} */
  const faults = [];
  const certificate = readCertificate(faults);
  const settings = {
    host: process.env['HOST'] || undefined,
    port: readNumber('PORT', 0, 65_535, certificate === null ? 80 : 443, faults),
    keepAliveMs: 1000 * readNumber('KEEP_ALIVE_S', 1, 3600, DEFAULT_KEEP_ALIVE_S, faults),
    certificate,
  };
  if (faults.length === 0) return settings;
  process.stderr.write(`current-time cannot start:\n${faults.map((fault) => `  ${fault}\n`).join('')}`);
  return process.exit(2);
}

/** When each connection was opened, and how many requests it has carried. @type {WeakMap<import('node:net').Socket, { openedAt: number, requests: number }>} */
const connections = new WeakMap();

/** @param {import('node:http').ServerResponse} response @param {number} status @param {object} body @param {Record<string, string>} [headers] */
function answer(response, status, body, headers = {}) {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
function serve(request, response) {
  request.resume();
  const connection = connections.get(request.socket) ?? { openedAt: Date.now(), requests: 0 };
  connections.set(request.socket, connection);
  connection.requests += 1;
  const now = Date.now();
  const ageMs = now - connection.openedAt;
  const kind = connection.requests === 1 ? 'new' : 'reused';
  const told = { 'x-connection': kind, 'x-connection-age': (ageMs / 1000).toFixed(3), 'x-connection-count': String(connection.requests) };
  const path = (request.url ?? '/').split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD')
    answer(response, 405, { error: 'GET and HEAD only' }, { ...told, allow: 'GET, HEAD' });
  else if (path === '/healthz') answer(response, 200, { status: 'ok' }, told);
  else if (path !== '/' && path !== '/time') answer(response, 404, { error: 'the paths are /, /time and /healthz' }, told);
  else {
    const connectionView = { kind, age_ms: ageMs, requests: connection.requests };
    answer(response, 200, { time: new Date(now).toISOString(), epoch_ms: now, connection: connectionView }, told);
  }
}

const { host, port, keepAliveMs, certificate } = readSettings();
const options = {
  keepAliveTimeout: keepAliveMs,
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 1000,
  noDelay: true,
};
const server =
  certificate === null
    ? createHttpServer(options, serve)
    : createHttpsServer({ ...options, ...certificate, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] }, serve);
server.maxConnections = MAX_CONNECTIONS;
// The age of a connection counts from here, its TLS handshake done.
server.on(certificate === null ? 'connection' : 'secureConnection', (socket) => {
  connections.set(socket, { openedAt: Date.now(), requests: 0 });
});
server.on('clientError', (_error, socket) => {
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  else socket.destroy();
});
server.on('error', (error) => {
  process.stderr.write(`current-time cannot listen: ${error.message}\n`);
  process.exit(1);
});
server.listen(port, host, () => {
  const bound = server.address();
  const where = typeof bound === 'object' && bound !== null ? bound.port : port;
  process.stdout.write(`${JSON.stringify({ listening: where, tls: certificate !== null, keep_alive_s: keepAliveMs / 1000 })}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  });
}
