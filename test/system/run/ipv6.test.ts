import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, expect, type TestContext, test } from 'vitest';
import type { LaneView } from '../../../core/keep-warm/tally.ts';
import { freePort } from '../../../testing/free-port.ts';
import { DYNAMIC, HOST, URL_OF_TIME } from '../../../testing/dynamic-edge.ts';
import { openScene } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const POP = 'HKG62-C1';
const objects = (path: string) => ({ size: 40, cacheControl: path === '/time' ? 'no-store' : 'max-age=3600' });

/** Leads what comes to `[::1]` on a port of its own to the port of 127.0.0.1. */
async function openIpv6(port: number, { onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<string> {
  const server = createServer((socket) => {
    const edge = connect(port, '127.0.0.1');
    socket.pipe(edge).pipe(socket);
    socket.on('error', () => edge.destroy());
    edge.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '::1', resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `[::1]:${address.port}`;
}

/** An edge whose one POP has a good and a dead address of each kind, and flags for those that are named. */
async function openPop(context: TestContext) {
  const scene = openScene(context);
  const edge = await scene.edge({ ...DYNAMIC, pops: [{ pop: POP }], objects });
  const good4 = edge.edgeMap[POP]?.[0] ?? '';
  const good6 = await openIpv6(Number(good4.split(':')[1]), context);
  const dead = await freePort();
  const places = { good4, good6, dead4: `127.0.0.1:${dead}`, dead6: `[::1]:${dead}` };
  writeFileSync(scene.at('edge.pem'), edge.caPem);
  const flags = (...names: readonly (keyof typeof places)[]) => {
    writeFileSync(scene.at('edge.json'), JSON.stringify({ [POP]: names.map((name) => places[name]) }));
    return ['--edge-map', scene.at('edge.json'), '--ca-file', scene.at('edge.pem'), '--allow-private-addresses'];
  };
  return { scene, edge, flags };
}

const CASES = [
  ['whose IPv6 address is dead', ['good4', 'dead6']],
  ['whose IPv4 address is dead', ['dead4', 'good6']],
  ['that has IPv6 addresses alone', ['good6']],
] as const;

describe.each(CASES)('a POP %s', (name, places) => {
  test('keep-warm asks such a POP without an error', async (context) => {
    const { scene, edge, flags } = await openPop(context);
    const route = ['--host', HOST, '--path', '/time', '--pops', POP, '--per-minute', '600', '--json'];
    const running = scene.start(['keep-warm', ...route, ...flags(...places)]);
    await until('some are asked', () => edge.counters().edge.gets >= 8);
    running.signal('SIGINT');
    const last = JSON.parse((await running.ended).stdout.trimEnd().split('\n').at(-1) ?? '') as { pops: readonly LaneView[] };
    const [{ state, errors, unsent, requests, good } = {}] = last.pops;
    expect({ state, errors, unsent, good }).toEqual({ state: 'answering', errors: {}, unsent: {}, good: requests });
  });

  test('a run sizes and warms every object at such a POP', async (context) => {
    const { scene, edge, flags } = await openPop(context);
    const urls = Array.from({ length: 6 }, (_, n) => `https://${HOST}/page/${n}`);
    const list = scene.list(urls);
    const { code, stderr } = await scene.run(['run', list, '--pops', POP, ...flags(...places), '--out', scene.at('r.csv')]);
    expect({ code, stderr, heads: edge.counters().edge.heads }).toMatchObject({ code: 0, heads: urls.length });
  });

  test('timing measures such a POP at the addresses that answer', async (context) => {
    const { scene, flags } = await openPop(context);
    const args = ['timing', URL_OF_TIME, '--pops', POP, '--count', '4', '--interval', '0.05', '--json'];
    const { stdout } = await scene.run([...args, ...flags(...places)]);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // A measurement is one request: that it reached nobody is told, and the next one goes elsewhere.
    const failed = name === 'whose IPv4 address is dead' ? 1 : 0;
    expect(lines.slice(0, 4).map(({ status }) => status)).toEqual([failed === 1 ? 0 : 200, 200, 200, 200]);
    expect(lines[4]).toMatchObject({ summary: [{ requests: 4, failed }] });
  });
});
