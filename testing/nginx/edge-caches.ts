import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificates, OPENSSL } from './certificates.ts';
import { type EdgeCache, type EdgeKind, type NginxLayout, nginxConfig } from './nginx-config.ts';
import { startPopDnsServer } from './pop-dns-server.ts';
import { freePort } from '../free-port.ts';

const LABEL = 'd111111abcdef8';
/** The distribution that the caches answer for. */
export const EDGE_HOST = `${LABEL}.cloudfront.net`;
const JUDGE = 'independent-judge';
export const NGINX = 'nginx';
const START_TRIES = 5;

export interface EdgePop {
  readonly pop: string;
  readonly addresses: number;
  /** Every address is a cache of its own; else they share one. */
  readonly separate: boolean;
}

export interface EdgeCachesOptions {
  readonly pops: readonly EdgePop[];
  /** What the origin holds; a query string selects nothing there. */
  readonly objects: readonly { readonly path: string; readonly bytes: number }[];
  readonly kind?: EdgeKind;
  readonly storeOnAbort?: boolean;
  readonly workers?: number;
  /** Default '0': no limit. */
  readonly limitRate?: string;
  readonly log?: boolean;
  readonly firstAddress?: string;
}

/** One request as a cache (or the origin, `cache` '') logged it. Those of `state` are left out. */
export interface LoggedRequest {
  readonly cache: string;
  readonly address: string;
  readonly method: string;
  /** Path and query, as received. */
  readonly uri: string;
  readonly range: string;
  readonly status: number;
  readonly bodyBytes: number;
  /** The answer was delivered to its end. */
  readonly complete: boolean;
  readonly cacheStatus: string;
  /** When its first byte came, milliseconds since the epoch. */
  readonly startedAt: number;
}

/** What one address answers when asked for a whole object. */
export interface AddressState {
  readonly pop: string;
  readonly address: string;
  readonly status: number;
  readonly xCache: string;
  readonly servedBy: string;
  readonly bytes: number;
}

export interface EdgeCaches {
  readonly host: string;
  /** `ip:port` of a DNS server that knows the POPs. */
  readonly dnsServer: string;
  /** JSON: POP -> ["ip:port", ...]. */
  readonly edgeMapFile: string;
  readonly caFile: string;
  readonly edgePort: number;
  readonly httpPort: number;
  readonly caches: readonly EdgeCache[];
  /** The edge options of the command line that lead to these caches, by DNS. */
  readonly flags: readonly string[];
  readLogs(): Promise<{ readonly edge: readonly LoggedRequest[]; readonly origin: readonly LoggedRequest[] }>;
  /** Asks every address of every POP for `url` (https), one after another, by a GET. */
  state(url: string): Promise<readonly AddressState[]>;
  close(): Promise<void>;
}

/** Whether Debian's nginx and openssl can be run here. */
export function nginxAvailable(): boolean {
  try {
    execFileSync(NGINX, ['-v'], { stdio: 'ignore' });
    execFileSync(OPENSSL, ['version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function nextAddress(ip: string): string {
  const [a = 127, b = 0, c = 1, d = 1] = ip.split('.').map(Number);
  return d < 250 ? `${a}.${b}.${c}.${d + 1}` : `${a}.${b}.${c + 1}.1`;
}

function layOutCaches(pops: readonly EdgePop[], firstAddress: string): EdgeCache[] {
  let ip = firstAddress;
  return pops.flatMap(({ pop, addresses, separate }) => {
    const ips = Array.from({ length: addresses }, () => {
      const own = ip;
      ip = nextAddress(ip);
      return own;
    });
    if (!separate) return [{ name: pop, pop, addresses: ips }];
    return ips.map((own) => ({ name: `${pop}/${own}`, pop, addresses: [own] }));
  });
}

/** Small objects hold their own bytes, so that a mixed-up body shows; above 1 MiB a hole does. */
async function writeObjects(www: string, objects: EdgeCachesOptions['objects']): Promise<void> {
  for (const { path, bytes } of objects) {
    const file = join(www, path);
    await mkdir(dirname(file), { recursive: true });
    if (bytes > 1 << 20) {
      await (await open(file, 'w')).close();
      await truncate(file, bytes);
    } else await writeFile(file, Buffer.alloc(bytes, createHash('sha256').update(path).digest()));
  }
}

async function accepts(port: number, ip: string): Promise<boolean> {
  const socket = connect(port, ip);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

/** Runs nginx until it listens; null when it ended first because a port was taken. */
async function launch(layout: NginxLayout): Promise<ChildProcess | null> {
  const config = join(layout.dir, 'nginx.conf');
  await writeFile(config, nginxConfig(layout));
  const errors = join(layout.dir, 'logs', 'error.log');
  const nginx = spawn(NGINX, ['-p', layout.dir, '-c', config, '-e', errors], { stdio: ['ignore', 'ignore', 'pipe'] });
  const complaint = text(nginx.stderr);
  const ips = layout.caches.flatMap((cache) => cache.addresses);
  while (nginx.exitCode === null) {
    const up = await Promise.all(ips.map((ip) => accepts(layout.edgePort, ip)));
    if (up.every(Boolean)) return nginx;
    await sleep(20);
  }
  const why = `${await complaint}${await readFile(errors, 'utf8').catch(() => '')}`;
  if (why.includes('Address already in use')) return null;
  throw new Error(`nginx ended at its start:\n${why}`);
}

async function stopNginx(nginx: ChildProcess): Promise<void> {
  if (nginx.exitCode !== null || nginx.signalCode !== null) return;
  const exited = once(nginx, 'exit');
  nginx.kill('SIGTERM');
  await exited;
}

function parseLog(cache: string, log: string): LoggedRequest[] {
  const lines = log.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const entry = JSON.parse(line) as Record<string, string>;
    const of = (key: string) => entry[key] ?? '';
    if (of('http_user_agent') === JUDGE) return [];
    return {
      cache,
      address: of('server_addr'),
      method: of('request_method'),
      uri: of('request_uri'),
      range: of('http_range'),
      status: Number(of('status')),
      bodyBytes: Number(of('body_bytes_sent')),
      complete: of('completion') === 'OK',
      cacheStatus: of('cache_status'),
      startedAt: (Number(of('msec')) - Number(of('request_time'))) * 1000,
    };
  });
}

async function askWhole(layout: NginxLayout, ca: string, pop: string, ip: string, url: URL): Promise<AddressState> {
  const agent = new Agent({ ca, servername: layout.host });
  const headers = { host: layout.host, 'user-agent': JUDGE };
  const asked = request({ host: ip, port: layout.edgePort, path: `${url.pathname}${url.search}`, headers, agent });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  agent.destroy();
  const header = (name: string) => String(answer.headers[name] ?? '');
  return { pop, address: ip, status: answer.statusCode ?? 0, xCache: header('x-cache'), servedBy: header('x-amz-cf-pop'), bytes };
}

async function readLogs(layout: NginxLayout) {
  const read = (name: string) => readFile(join(layout.dir, 'logs', name), 'utf8');
  const edge: LoggedRequest[][] = [];
  for (const [index, cache] of layout.caches.entries()) edge.push(parseLog(cache.name, await read(`edge-${index}.log`)));
  return { edge: edge.flat(), origin: layout.kind === 'cache' ? parseLog('', await read('origin.log')) : [] };
}

async function launchOnFreePorts(
  layout: Omit<NginxLayout, 'edgePort' | 'httpPort'>,
): Promise<{ nginx: ChildProcess; layout: NginxLayout }> {
  const ip = layout.caches[0]?.addresses[0] ?? '127.0.1.1';
  for (let tries = 0; tries < START_TRIES; tries++) {
    const whole = { ...layout, edgePort: await freePort(ip), httpPort: await freePort(ip) };
    const nginx = await launch(whole);
    if (nginx !== null) return { nginx, layout: whole };
  }
  throw new Error('no free ports for nginx');
}

async function prepare(options: EdgeCachesOptions): Promise<Omit<NginxLayout, 'edgePort' | 'httpPort'>> {
  const dir = await mkdtemp(join(tmpdir(), 'edge-caches-'));
  for (const name of ['www', 'logs', 'cache', 'temp']) await mkdir(join(dir, name));
  await writeObjects(join(dir, 'www'), options.objects);
  return {
    dir,
    host: EDGE_HOST,
    caches: layOutCaches(options.pops, options.firstAddress ?? '127.0.1.1'),
    certificates: await makeCertificates(dir, EDGE_HOST),
    kind: options.kind ?? 'cache',
    storeOnAbort: options.storeOnAbort ?? false,
    workers: options.workers ?? 1,
    limitRate: options.limitRate ?? '0',
    log: options.log ?? true,
  };
}

/**
 * Starts one nginx whose servers stand in for POPs, over an origin in the same process. Nothing is stored on HEAD, on Range, or
 * (unless `storeOnAbort`) of an answer whose reader went away. Needs a system where every 127.x.y.z is loopback.
 */
export async function startEdgeCaches(options: EdgeCachesOptions): Promise<EdgeCaches> {
  const { nginx, layout } = await launchOnFreePorts(await prepare(options));
  const killAtExit = () => {
    nginx.kill('SIGTERM');
    rmSync(layout.dir, { recursive: true, force: true });
  };
  process.on('exit', killAtExit);
  const ipsOf = new Map<string, string[]>();
  for (const { pop, addresses } of layout.caches) ipsOf.set(pop, [...(ipsOf.get(pop) ?? []), ...addresses]);
  const dns = await startPopDnsServer(LABEL, ipsOf);
  const edgeMapFile = join(layout.dir, 'edge-map.json');
  const { edgePort, httpPort } = layout;
  const map = Object.fromEntries([...ipsOf].map(([pop, ips]) => [pop, ips.map((ip) => `${ip}:${edgePort}`)]));
  await writeFile(edgeMapFile, JSON.stringify(map));
  const { caFile } = layout.certificates;
  const ca = await readFile(caFile, 'utf8');
  const ports = ['--edge-port', String(edgePort), '--edge-http-port', String(httpPort)];
  return {
    host: EDGE_HOST,
    dnsServer: dns.address,
    edgeMapFile,
    caFile,
    edgePort,
    httpPort,
    caches: layout.caches,
    flags: ['--domain', EDGE_HOST, '--dns-server', dns.address, ...ports, '--ca-file', caFile, '--allow-private-addresses'],
    readLogs: () => readLogs(layout),
    async state(url) {
      const states: AddressState[] = [];
      for (const [pop, ips] of ipsOf) for (const ip of ips) states.push(await askWhole(layout, ca, pop, ip, new URL(url)));
      return states;
    },
    async close() {
      process.off('exit', killAtExit);
      await stopNginx(nginx);
      await dns.close();
      await rm(layout.dir, { recursive: true, force: true });
    },
  };
}
