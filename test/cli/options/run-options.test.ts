import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RawOptions } from '../../../cli/options/flags.ts';
import { defaultAgents, parseRunOptions, type RunOptions } from '../../../cli/options/run-options.ts';
import { InvalidInput } from '../../../core/errors.ts';

const URL_A = 'https://d111111abcdef8.cloudfront.net/a';

let dir: string;
const at = (name: string) => join(dir, name);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewarm-options-'));
  writeFileSync(at('urls.csv'), `url\n${URL_A}\n`);
  writeFileSync(at('map.json'), '{"SIN2-P1": ["127.0.0.1:8443"]}');
  writeFileSync(at('broken.json'), '{"SIN2-P1": ');
  writeFileSync(at('broken.pem'), '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n');
  mkdirSync(at('folder'));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('key.pem')];
  execFileSync('openssl', ['req', '-x509', ...key, '-subj', '/CN=test', '-days', '2', '-out', at('ca.pem')], { stdio: 'ignore' });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** `field: value` of every fault; [] when the options are right. */
function faultsOf(file: string | undefined, raw: RawOptions): readonly string[] {
  try {
    parseRunOptions(file, raw);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.faults.map((fault) => `${fault.field}: ${fault.value}`);
  }
}

describe('options of a run', () => {
  test('the options of a run become the fields of a request, with the named files read', () => {
    const options = parseRunOptions(at('urls.csv'), {
      url: [`${URL_A}#top`],
      domain: 'D111111ABCDEF8.cloudfront.net',
      pops: ['sin2-p1,FRA56-P4', 'SIN2-P1'],
      header: ['Accept-Encoding: br'],
      timeout: '30',
      agents: '3',
      concurrency: '64',
      out: at('report.csv'),
      edgePort: '8443',
      dnsServer: '[::1]:5353',
      caFile: at('ca.pem'),
      allowPrivateAddresses: true,
      json: true,
    });
    expect(options.request).toMatchObject({
      urls: [URL_A],
      domain: 'd111111abcdef8.cloudfront.net',
      pops: [
        { pop: 'SIN2-P1', named: true },
        { pop: 'FRA56-P4', named: true },
      ],
      variants: [{ name: 'default', headers: [['Accept-Encoding', 'br']] }],
      timeoutMinutes: 30,
      agents: 3,
    });
    expect(options.edge).toMatchObject({
      edgePort: 8443,
      edgeHttpPort: 80,
      dnsServer: { ip: '::1', port: 5353 },
      allowPrivateAddresses: true,
    });
    expect(options.edge.ca?.pem).toContain('BEGIN CERTIFICATE');
    expect(options).toMatchObject({ agents: 3, concurrency: 64, out: at('report.csv'), json: true, dataDir: null, skipBad: false });
  });

  test('a run without options has no time-out, uses the default POPs, and connects to CloudFront', () => {
    const options: RunOptions = parseRunOptions('-', {});
    expect(options.request).toMatchObject({ domain: null, timeoutMinutes: null, invalidate: false });
    expect(options.request?.pops.length).toBeGreaterThan(20);
    expect(options.agents).toBe(defaultAgents());
    expect(options.edge).toEqual({
      dnsServer: null,
      edgePort: 443,
      edgeHttpPort: 80,
      edgeMap: null,
      ca: null,
      allowPrivateAddresses: false,
    });
  });

  test('the options of a run leave a core to the pipeline and give agents at least one', () => {
    expect([1, 2, 8].map(defaultAgents)).toEqual([1, 1, 7]);
  });

  test('the options of a run take the addresses of POPs from an edge map', () => {
    const { edge } = parseRunOptions('-', { edgeMap: at('map.json') });
    expect([...(edge.edgeMap?.keys() ?? [])]).toEqual(['SIN2-P1']);
  });

  test.each<{ says: string; raw: RawOptions; faults: readonly string[] }>([
    { says: 'two ways to name places', raw: { pops: ['SIN2-P1'], regions: ['eu'] }, faults: ['--pops: '] },
    { says: 'an empty list of places', raw: { pops: [' , '] }, faults: ['--pops: ,'] },
    { says: 'unknown places', raw: { countries: ['atlantis,japan'] }, faults: ['--countries: atlantis'] },
    {
      says: 'numbers out of range',
      raw: { agents: '0', concurrency: '513', edgePort: '65536' },
      faults: ['--agents: 0', '--concurrency: 513', '--edge-port: 65536'],
    },
    { says: 'numbers that are none', raw: { timeout: '1.5', edgeHttpPort: '-1' }, faults: ['--edge-http-port: -1', '--timeout: 1.5'] },
    { says: 'DNS servers without a port or with a name', raw: { dnsServer: 'localhost:53' }, faults: ['--dns-server: localhost:53'] },
    { says: 'endpoints that are no URL', raw: { invalidationEndpoint: '127.0.0.1:80' }, faults: ['--invalidation-endpoint: 127.0.0.1:80'] },
    { says: 'URLs that cannot be warmed', raw: { url: ['ftp://example.com/a'] }, faults: ['--url: ftp://example.com/a'] },
    { says: 'headers with line ends', raw: { header: ['A: b\r\nC: d'] }, faults: ['--header: A: b\r\nC: d'] },
    { says: 'a data directory without a name', raw: { dataDir: '' }, faults: ['--data-dir: '] },
  ])('a run refuses its options for $says', ({ raw, faults }) => {
    expect(faultsOf('-', raw)).toEqual(faults);
  });

  test('a run refuses options that name files it cannot use', () => {
    expect(faultsOf(at('none.csv'), {})).toEqual([`FILE: ${at('none.csv')}`]);
    expect(faultsOf(dir, {})).toEqual([`FILE: ${dir}`]);
    expect(faultsOf('-', { caFile: at('broken.pem') })).toEqual([`--ca-file: ${at('broken.pem')}`]);
    expect(faultsOf('-', { caFile: at('urls.csv') })).toEqual([`--ca-file: ${at('urls.csv')}`]);
    expect(faultsOf('-', { caFile: at('none.pem') })).toEqual([`--ca-file: ${at('none.pem')}`]);
    expect(faultsOf('-', { edgeMap: at('broken.json') })).toHaveLength(1);
    expect(faultsOf('-', { out: dir })).toEqual([`--out: ${dir}`]);
    expect(faultsOf('-', { out: at('none/report.csv') })).toEqual([`--out: ${at('none/report.csv')}`]);
    expect(faultsOf(at('urls.csv'), { out: at('urls.csv') })).toEqual([`--out: ${at('urls.csv')}`]);
  });

  test('a run judges all options before it refuses any', () => {
    const raw = {
      pops: ['x'],
      header: ['Range: bytes=0-1'],
      timeout: 'soon',
      agents: 'many',
      dnsServer: 'x',
      caFile: at('none.pem'),
      out: dir,
    };
    const fields = faultsOf(at('none.csv'), raw).map((fault) => fault.split(':')[0]);
    expect(new Set(fields)).toEqual(new Set(['--agents', '--ca-file', '--dns-server', '--header', '--out', '--pops', '--timeout', 'FILE']));
  });

  test('the options of a run must name a list, a URL or a run to resume', () => {
    expect(faultsOf(undefined, {})).toEqual(['FILE: ']);
    expect(faultsOf(undefined, { url: [URL_A] })).toEqual([]);
    expect(faultsOf(undefined, { resume: true })).toEqual(['--resume: ']);
    expect(faultsOf(undefined, { resume: true, dataDir: at('none') })).toEqual([`--data-dir: ${at('none')}`]);
    expect(faultsOf(at('none.csv'), { resume: true, dataDir: dir })).toEqual([`FILE: ${at('none.csv')}`]);
    expect(faultsOf(at('urls.csv'), { resume: true, dataDir: dir })).toEqual([]);
  });

  test('a resumed run keeps its options for comparison, and ignores list options when no list is given', () => {
    const again = { resume: true, dataDir: dir, pops: ['SIN2-P1'], timeout: '5', maxInvalidationPaths: '7', column: 'page' };
    expect(parseRunOptions(undefined, again)).toMatchObject({
      request: null,
      again: { options: ['pops', 'timeout'], input: { pops: [{ pop: 'SIN2-P1' }], timeoutMinutes: 5 } },
      ignored: ['--max-invalidation-paths', '--column'],
    });
    expect(parseRunOptions(at('urls.csv'), again)).toMatchObject({ ignored: ['--max-invalidation-paths'] });
    expect(parseRunOptions(undefined, { resume: true, dataDir: dir })).toMatchObject({ request: null, again: null, ignored: [] });
    expect(faultsOf(undefined, { ...again, timeout: 'x' })).toEqual(['--timeout: x']);
  });
});

test('run takes the statuses that count as done as submit does, and names wrong ones', () => {
  const options = parseRunOptions(undefined, { url: [URL_A], acceptStatus: ['301, 200', '302'] });
  expect(options.request?.acceptStatus).toEqual([200, 301, 302]);
  expect(faultsOf(undefined, { url: [URL_A], acceptStatus: ['99'] })).toEqual([expect.stringContaining('--accept-status')]);
});
