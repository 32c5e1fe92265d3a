import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { summariseTiming } from '../core/timing/summarise-timing.ts';
import { createEdgeCertificates } from '../simulator/edge-certificates.ts';
import { markdownTable } from './figures.ts';
import { describeMachine } from './machine.ts';
import { replaceSection } from './replace-section.ts';
import { freePort } from '../testing/free-port.ts';

/**
 * A program of its own, about nine minutes: nginx as four POPs, each with its own kept connections to one far origin (the current-time
 * service behind a proxy that adds round trips), viewers measured by `prewarm timing`, kept warm by `prewarm keep-warm`. Writes its
 * table into docs/keep-warm.md.
 */
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const DOC = at('../docs/keep-warm.md');
const MAIN = at('../cli/main.ts');
const HOST = 'api.example.com';
const ORIGIN = 'origin.example.com';
const ROUND_TRIP_MS = 180;
const quick = process.argv.includes('--quick');
const VIEWERS = quick ? 2 : 8;
/** Longer than either keep-alive time-out. */
const VIEWER_EVERY_S = quick ? 7 : 65;

const SCENES = [
  { pop: 'HKG1-C1', ip: '127.0.4.1', idle: '5s', perMinute: 0 },
  { pop: 'HKG2-C1', ip: '127.0.4.2', idle: '60s', perMinute: 0 },
  { pop: 'HKG3-C1', ip: '127.0.4.3', idle: '5s', perMinute: 20 },
  { pop: 'HKG4-C1', ip: '127.0.4.4', idle: '60s', perMinute: 8 },
] as const;

function nginxConfig(dir: string, edgePort: number, originPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${dir}/temp-${name};\n`)
    .join('');
  const servers = SCENES.map(
    ({ pop, ip, idle }, nth) => `
  upstream origin${nth} { server 127.0.0.1:${originPort}; keepalive 16; keepalive_timeout ${idle}; }
  server {
    listen ${ip}:${edgePort} ssl;
    add_header x-amz-cf-pop ${pop} always;
    add_header x-cache "Miss from cloudfront" always;
    location / {
      proxy_pass https://origin${nth};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_ssl_name ${ORIGIN};
      proxy_ssl_server_name on;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_session_reuse off;
    }
  }`,
  );
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 500; }
http {
  access_log off;
${temporary}  ssl_certificate ${dir}/leaf.pem;
  ssl_certificate_key ${dir}/leaf.key;
  keepalive_timeout 75s;${servers.join('')}
}
`;
}

const children: ChildProcess[] = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  const child = spawn(file, [...args], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function startAndWait(file: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const child = start(file, args, env);
  if (child.stdout === null) throw new Error(`${file} has no output`);
  const [said] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`${args.join(' ')} ended at its start`);
    }),
  ])) as [Buffer];
  return said.toString();
}

/** Origin, the way to it, and nginx before it; resolves to the flags that lead there. */
async function startTier(dir: string): Promise<readonly string[]> {
  const { caPem, leaf } = await createEdgeCertificates([HOST, ORIGIN]);
  await Promise.all([
    writeFile(join(dir, 'leaf.pem'), leaf.cert),
    writeFile(join(dir, 'leaf.key'), leaf.key),
    writeFile(join(dir, 'ca.pem'), caPem),
  ]);
  const env = { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', TLS_PEM: `${leaf.cert}\n${leaf.key}` };
  const { listening } = JSON.parse(await startAndWait(process.execPath, [at('../lib/dynamic-origin/current-time.mjs')], env)) as {
    listening: number;
  };
  const farPort = await freePort();
  await startAndWait(process.execPath, [at('./delay-proxy.ts'), '127.0.0.1', String(farPort), String(listening), String(ROUND_TRIP_MS)]);
  const edgePort = await freePort();
  const config = join(dir, 'nginx.conf');
  await writeFile(config, nginxConfig(dir, edgePort, farPort));
  start('nginx', ['-p', dir, '-c', config, '-e', join(dir, 'error.log')]);
  const map = Object.fromEntries(SCENES.map(({ pop, ip }) => [pop, [`${ip}:${edgePort}`]]));
  await writeFile(join(dir, 'map.json'), JSON.stringify(map));
  return ['--edge-map', join(dir, 'map.json'), '--ca-file', join(dir, 'ca.pem'), '--allow-private-addresses'];
}

interface Row {
  readonly pop: string;
  readonly status: number;
  readonly wait_ms: number;
  readonly x_connection: string;
}

/** The viewers' requests, all POPs at the same moments. */
async function measureViewers(flags: readonly string[]): Promise<readonly Row[]> {
  const pops = SCENES.map(({ pop }) => pop).join(',');
  const count = ['--count', String(VIEWERS), '--interval', String(VIEWER_EVERY_S), '--json'];
  const child = start(process.execPath, [MAIN, 'timing', `https://${HOST}/time`, '--pops', pops, ...count, ...flags]);
  if (child.stdout === null) throw new Error('no output');
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Row);
}

function summarise(rows: readonly Row[]): string {
  // The very first viewer meets a new connection everywhere.
  const later = rows.slice(SCENES.length);
  const table = SCENES.map(({ pop, idle, perMinute }) => {
    const ofPop = later.filter((row) => row.pop === pop);
    const samples = ofPop.map((row) => ({ ...row, waitMs: row.wait_ms }));
    const [summary] = summariseTiming(samples.map(({ waitMs, status }) => ({ ...BLANK, pop, status, waitMs })));
    const wait = summary?.parts.waitMs;
    if (!wait || summary.failed > 0) throw new Error(`${pop}: not every viewer was answered`);
    const fresh = ofPop.filter((row) => row.x_connection === 'new').length;
    const kept = perMinute === 0 ? 'nothing' : `${perMinute} a minute`;
    return [kept, idle, ofPop.length, Math.round(wait.median), Math.round(wait.max), `${fresh} of ${ofPop.length}`];
  });
  return markdownTable(['kept warm', '`keepalive_timeout`', 'viewers', 'first byte, median ms', 'max ms', 'new connections'], table);
}

const BLANK = {
  at: 0,
  url: '',
  address: '',
  error: null,
  detail: '',
  dnsMs: -1,
  tcpMs: -1,
  tlsMs: -1,
  firstByteMs: -1,
  totalMs: -1,
  bytes: 0,
  xCache: '',
  servedBy: '',
  requestId: '',
  xConnection: '',
  serverTiming: '',
};

const dir = await mkdtemp(join(tmpdir(), 'keep-warm-nginx-'));
try {
  for (const name of ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) await mkdir(join(dir, `temp-${name}`));
  const flags = await startTier(dir);
  for (const { pop, perMinute } of SCENES.filter((scene) => scene.perMinute > 0)) {
    start(process.execPath, [
      MAIN,
      'keep-warm',
      '--host',
      HOST,
      '--path',
      '/time',
      '--pops',
      pop,
      '--per-minute',
      String(perMinute),
      '--json',
      ...flags,
    ]);
  }
  const rows = await measureViewers(flags);
  const minutes = ((VIEWERS - 1) * VIEWER_EVERY_S) / 60;
  const method = `nginx as four POPs, each with an upstream of its own (\`keepalive 16\`), before one HTTPS origin (\`lib/dynamic-origin/current-time.mjs\`) that a proxy puts ${ROUND_TRIP_MS} ms of round trip away, a round trip more for each TCP handshake; TLS 1.3 to the origin, no sessions resumed. A viewer comes to each every ${VIEWER_EVERY_S} s, measured by \`prewarm timing\` (from sending the request on a connection of its own to its first byte), over ${minutes.toFixed(1)} minutes; the first ones, who meet nothing warm anywhere, are left out. Kept warm by \`prewarm keep-warm\`. Machine: ${describeMachine()}.`;
  const section = `${method}\n\n${summarise(rows)}\nMade by \`npx node bench/keep-warm-nginx.ts\`.\n`;
  if (quick) process.stdout.write(section);
  else await replaceSection(DOC, 'nginx', section);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.flatMap((child) => (child.exitCode === null && child.signalCode === null ? [once(child, 'exit')] : [])));
  await rm(dir, { recursive: true, force: true });
}
