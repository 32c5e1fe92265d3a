import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readTimingCsv } from '../../../cli/print/timing-csv.ts';
import type { InputFault } from '../../../core/errors.ts';
import { dnsFlags, mapFlags, openScene } from '../../../testing/scene.ts';
import { DYNAMIC, HOST, ROUND_TRIP_MS, ROUTE, URL_OF_TIME } from '../../../testing/dynamic-edge.ts';
import { until } from '../../../testing/until.ts';

describe('prewarm timing', () => {
  test('timing shows a line per request in the form of curl, the cost of new connections, and the handshake behind the POP', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const args = ['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '3', '--interval', '0.1'];
    const { code, stdout, stderr } = await scene.run([...args, ...mapFlags(scene, edge)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n').slice(0, 3);
    const seconds = String.raw`\d+\.\d{6}`;
    const form = new RegExp(
      String.raw`^dnslookup: ${seconds} \| connect: ${seconds} \| appconnect: (${seconds}) \| pretransfer: (${seconds}) \| starttransfer: (${seconds}) \| ` +
        String.raw`total: ${seconds} \| size: 40 \| status: 200 \| pop: HKG62-C1 \| address: 127\.0\.0\.1:\d+ \| ` +
        String.raw`x-cache: Miss from cloudfront \| x-amz-cf-pop: HKG62-C1 \| x-amz-cf-id: \S+ \| x-connection: (\w+)$`,
    );
    const seen = lines.map((line) => form.exec(line));
    // The third goes to the first address again.
    expect(seen.map((match) => match?.[4])).toEqual(['new', 'new', 'reused']);
    for (const match of seen) expect(Number(match?.[2])).toBeGreaterThanOrEqual(Number(match?.[1]));
    const waits = seen.map((match) => (Number(match?.[3]) - Number(match?.[2])) * 1000);
    expect(waits[0]).toBeGreaterThan(2.9 * ROUND_TRIP_MS);
    expect(waits[2]).toBeGreaterThan(0.9 * ROUND_TRIP_MS);
    expect(waits[2]).toBeLessThan(2.9 * ROUND_TRIP_MS);
    expect(stdout).toMatch(/\nHKG62-C1 +3 +0 +\S+ \/ \S+ \/ \S+/);
  });

  test('timing reuses connections on request and prints objects', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, pops: [{ pop: 'HKG62-C1' }] });
    const args = ['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '2', '--interval', '0.3', '--reuse', '--json'];
    const { code, stdout } = await scene.run([...args, ...mapFlags(scene, edge)]);
    const [first, second, last] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(0);
    expect(first).toMatchObject({
      pop: 'HKG62-C1',
      error: null,
      status: 200,
      x_connection: 'new',
      tcp_ms: expect.any(Number),
      tls_ms: expect.any(Number),
    });
    expect(second).toMatchObject({ tcp_ms: null, tls_ms: null, x_connection: 'reused' });
    const spread = { median: expect.any(Number), p95: expect.any(Number), max: expect.any(Number) };
    expect(last).toEqual({
      summary: [
        {
          pop: 'HKG62-C1',
          requests: 2,
          failed: 0,
          dns_ms: spread,
          tcp_ms: spread,
          tls_ms: spread,
          wait_ms: spread,
          first_byte_ms: spread,
          total_ms: spread,
        },
      ],
    });
  });

  test('timing shows what keep-warm gains against an earlier measurement', async (context) => {
    const scene = openScene(context);
    // So far away that a busy machine's own delays are small against it.
    const originNetwork = { idleMs: 5000, tlsRoundTrips: 1, roundTripMs: () => 4 * ROUND_TRIP_MS };
    const edge = await scene.edge({ ...DYNAMIC, originNetwork });
    const flags = mapFlags(scene, edge);
    const timing = (count: number) => ['timing', URL_OF_TIME, '--pops', 'HKG62-C1,FRA56-P4', '--count', String(count), ...flags];
    const before = await scene.run([...timing(2), '--interval', '0', '--csv']);
    expect(before.code).toBe(0);
    expect(before.stderr).toContain('Milliseconds, median / p95 / max.');
    writeFileSync(scene.at('before.csv'), before.stdout);
    const warm = scene.start(['keep-warm', ...ROUTE, '--per-minute', '60', ...flags]);
    await until('every address has been kept warm', () => edge.counters().addresses.every(({ total }) => total.gets >= 3));
    // One after the other: two at once would need two connections each.
    const compared = ['--interval', '0.3', '--compare', scene.at('before.csv')];
    const after = await scene.run([...timing(7), ...compared]);
    const json = await scene.run([...timing(5), ...compared, '--json']);
    warm.signal('SIGINT');
    await warm.ended;
    // The wait: what the handshakes with the POP take is this machine's own.
    const gains = [...after.stdout.matchAll(/^(HKG62-C1|FRA56-P4) .* -\d+ \(-(\d+) %\)$/gm)];
    expect(new Set(gains.map(([, pop]) => pop))).toEqual(new Set(['FRA56-P4', 'HKG62-C1']));
    // Three round trips to the origin became one: two thirds less, on a machine with nothing else to do.
    for (const gain of gains) expect(Number(gain[2])).toBeGreaterThan(20);
    const { gain: told } = JSON.parse(json.stdout.trimEnd().split('\n').at(-1) ?? '') as { gain: Record<string, number>[] };
    expect(told.map(({ pop }) => pop)).toEqual(['HKG62-C1', 'FRA56-P4']);
    for (const { wait_before_ms: was = 0, wait_after_ms: is = 0 } of told) expect(is).toBeLessThan(0.8 * was);
  });

  test('timing follows DNS when no POPs are named, and reports failures without giving up', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, bind: 'addresses' });
    const flags = dnsFlags(scene, edge);
    const [fine, broken, refused, unknown] = await Promise.all([
      scene.run(['timing', URL_OF_TIME, '--count', '1', '--json', ...flags]),
      scene.run(['timing', `https://${HOST}/broken`, '--pops', 'FRA56-P4,ZZZ9-C1', '--count', '1', '--json', ...flags]),
      scene.run(['timing', URL_OF_TIME, '--count', '1', ...flags.filter((flag) => flag !== '--allow-private-addresses')]),
      scene.run(['timing', 'https://nowhere.example.com/', '--count', '2', '--interval', '0', ...flags]),
    ]);
    expect(fine.code).toBe(0);
    expect(JSON.parse(fine.stdout.split('\n')[0] ?? '')).toMatchObject({ pop: '', status: 200, x_connection: 'new' });
    expect(broken.code).toBe(1);
    const rows = broken.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.find(({ pop }) => pop === 'ZZZ9-C1')).toMatchObject({ error: 'dns', status: 0, tcp_ms: null });
    expect(rows.find(({ pop }) => pop === 'FRA56-P4')).toMatchObject({ error: null, status: 503 });
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('error: address_refused: api.example.com has the private') });
    expect(unknown).toMatchObject({ code: 1, stdout: expect.stringContaining('error: dns: nowhere.example.com') });
    expect(unknown.stdout.match(/^error: dns:/gm)).toHaveLength(2);
  });

  test('timing does not let a hanging POP delay the others, and sums up in the order of the named POPs', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const flags = ['--count', '3', '--interval', '0.2', '--json', ...mapFlags(scene, edge)];
    const ordered = await scene.run(['timing', URL_OF_TIME, '--pops', 'ZZZ9-C1,FRA56-P4', ...flags]);
    expect(JSON.parse(ordered.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      summary: [{ pop: 'ZZZ9-C1' }, { pop: 'FRA56-P4' }],
    });
    edge.setFault({ pop: 'HKG62-C1' }, { kind: 'stall', at: 'headers' });
    const reversed = scene.start(['timing', URL_OF_TIME, '--pops', 'HKG62-C1,ZZZ9-C1,FRA56-P4', ...flags]);
    await until('the other has been measured', () => reversed.stdout().match(/"pop":"FRA56-P4"/g)?.length === 3);
    reversed.signal('SIGINT');
    const { code, stdout } = await reversed.ended;
    expect(code).toBe(130);
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      summary: [{ pop: 'ZZZ9-C1' }, { pop: 'FRA56-P4', requests: 3 }],
    });
  });

  test('timing gives up a request that hangs, and Ctrl-C ends it with the results so far', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, pops: [{ pop: 'HKG62-C1' }] });
    const running = scene.start(['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '9', '--interval', '1', ...mapFlags(scene, edge)]);
    await until('a line', () => running.stdout().includes('x-connection'));
    edge.setFault({ pop: 'HKG62-C1' }, { kind: 'stall', at: 'headers' });
    await sleep(1500);
    running.signal('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('Milliseconds, median / p95 / max.');
  });

  test('timing refuses all wrong options together, and a file that is no measurement', async (context) => {
    const scene = openScene(context);
    const list = scene.list(['https://a.example.com/']);
    const wrong = ['ftp://x', '--count', '0', '--interval', '-1', '--json', '--csv', '--pops', ',', '--header', 'x', '--compare', list];
    const { code, stdout, stderr } = await scene.run(['timing', ...wrong]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const fields = stderr
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim().split(':')[0]);
    expect(new Set(fields)).toEqual(new Set(['--compare', '--count', '--csv', '--header', '--interval', '--pops', 'URL']));
    const faults: InputFault[] = [];
    for (const content of ['', 'a"b,c\n"', 'pop,error\nx,y\n'])
      expect(readTimingCsv(scene.list(content, 'bad.csv'), '--compare', faults)).toBeNull();
    expect(readTimingCsv(scene.at('none.csv'), '--compare', faults)).toBeNull();
    expect(faults.map(({ message }) => message.split(';')[0])).toEqual([
      'holds no measurement',
      expect.stringContaining('is not CSV'),
      expect.stringContaining('lacks the columns'),
      'cannot be read (ENOENT)',
    ]);
  });
});
