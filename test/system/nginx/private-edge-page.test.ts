import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'node:net';
import { describe, expect, test, type TestContext } from 'vitest';
import { freePort } from '../../../testing/free-port.ts';
import { openScene, type Scene } from '../../../testing/scene.ts';
import { makeCertificates } from '../../../testing/nginx/certificates.ts';
import { NGINX, nginxAvailable } from '../../../testing/nginx/edge-caches.ts';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/private-edges.md', import.meta.url)), 'utf8');
const HOST = 'www.example.com';
const KIB = 1024;

interface Ports {
  readonly https: number;
  readonly http: number;
  readonly origin: number;
}

/** Replaces one text by another; throws where the page does not have it, since the test would then run something else. */
function replaced(text: string, pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs).reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`the page's configuration has no ${from}`);
    return all.replaceAll(from, to);
  }, text);
}

/** The page's configuration as it stands there, but for ports and paths, over an origin that serves the scene's folder `www`. */
function configuration(scene: Scene, { https, http, origin }: Ports, certificates: { certFile: string; keyFile: string }): string {
  const ofPage = /```nginx\n(.+?)```/s.exec(PAGE)?.[1] ?? '';
  const edge = replaced(ofPage, {
    '/var/cache/nginx/prewarm': scene.at('cache'),
    'listen 443 ssl;': `listen 127.0.0.1:${https} ssl;`,
    'listen 80;': `listen 127.0.0.1:${http};`,
    '/etc/nginx/edge.pem': certificates.certFile,
    '/etc/nginx/edge.key': certificates.keyFile,
    '127.0.0.1:8081': `127.0.0.1:${origin}`,
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${scene.at(`temp-${name}`)};`);
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${scene.at('nginx.pid')};
error_log ${scene.at('error.log')};
events {}
http {
${temporary.join('\n')}
access_log off;
server { listen 127.0.0.1:${origin}; root ${scene.at('www')}; location /private/ { add_header cache-control no-store; } }
${edge}}
`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // It is not up yet.
  } finally {
    socket.destroy();
  }
}

/** Starts nginx as the page says, and writes the page's edge map; returns the options that the page names. */
async function startAsThePageSays(context: TestContext): Promise<{ scene: Scene; options: readonly string[] }> {
  const scene = openScene(context);
  mkdirSync(scene.at('www/private'), { recursive: true });
  for (const [name, bytes] of Object.entries({ small: KIB, large: 300 * KIB, 'private/page': KIB }))
    writeFileSync(scene.at(join('www', name)), Buffer.alloc(bytes, name));
  const certificates = await makeCertificates(scene.at('.'), HOST);
  const ports = { https: await freePort(), http: await freePort(), origin: await freePort() };
  writeFileSync(scene.at('nginx.conf'), configuration(scene, ports, certificates));
  const nginx = spawn(NGINX, ['-p', scene.at('.'), '-c', scene.at('nginx.conf'), '-e', scene.at('error.log')], { stdio: 'ignore' });
  const exited = once(nginx, 'exit');
  context.onTestFinished(async () => {
    nginx.kill('SIGTERM');
    await exited;
  });
  while (!(await isListening(ports.https))) {
    if (nginx.exitCode !== null) throw new Error(`nginx ended at its start: ${readFileSync(scene.at('error.log'), 'utf8')}`);
    await sleep(20);
  }
  const both = { https: [`127.0.0.1:${ports.https}`], http: [`127.0.0.1:${ports.http}`] };
  writeFileSync(scene.at('edge-map.json'), JSON.stringify({ 'SIN2-P1': both }));
  return { scene, options: ['--edge-map', scene.at('edge-map.json'), '--ca-file', certificates.caFile, '--allow-private-addresses'] };
}

describe.skipIf(!nginxAvailable())('nginx as docs/private-edges.md configures it (skipped where nginx is missing)', () => {
  test('a run through nginx is verified by HIT, over https and http, and a second one finds all warm', {
    timeout: 60_000,
  }, async (context) => {
    const { scene, options } = await startAsThePageSays(context);
    const urls = [`https://${HOST}/small`, `https://${HOST}/large`, `http://${HOST}/small?over=http`];
    const run = async () => {
      const given = urls.flatMap((url) => ['--url', url]);
      const { code } = await scene.run(['run', ...given, '--pops', 'SIN2-P1', ...options, '--out', scene.at('report.csv')]);
      return { code, rows: scene.report('report.csv') };
    };
    const first = await run();
    expect(first.code).toBe(0);
    for (const row of first.rows)
      expect(row).toMatchObject({ outcome: 'warmed', x_cache_first: 'MISS', x_cache_last: 'HIT', served_by: 'SIN2-P1' });
    expect(first.rows.every((row) => row['notes']?.split(';').includes('verified'))).toBe(true);
    const second = await run();
    expect(second.code).toBe(0);
    for (const row of second.rows) expect(row).toMatchObject({ outcome: 'already_warm', x_cache_first: 'HIT' });
  });

  test('objects that nginx may not store or does not have fail with the reasons of the page', { timeout: 60_000 }, async (context) => {
    const { scene, options } = await startAsThePageSays(context);
    const urls = ['private/page', 'absent'].flatMap((path) => ['--url', `https://${HOST}/${path}`]);
    const { code } = await scene.run(['run', ...urls, '--pops', 'SIN2-P1', ...options, '--out', scene.at('report.csv')]);
    expect(code).toBe(1);
    expect(Object.fromEntries(scene.report('report.csv').map((row) => [row['url'], row['reason']]))).toEqual({
      [`https://${HOST}/private/page`]: 'not_cached',
      [`https://${HOST}/absent`]: 'status_404',
    });
  });
});
