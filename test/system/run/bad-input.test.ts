import { gzipSync } from 'node:zlib';
import pLimit from 'p-limit';
import { describe, expect, test } from 'vitest';
import { dnsFlags, lastProgress, mapFlags, openScene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';

const HOST = 'd111111abcdef8.cloudfront.net';
const GOOD = `https://${HOST}/o/1k/good`;
const GOOD_LIST = `url\n${GOOD}\n`;
const PLACE = ['--pops', 'SIN2-P1'];

/** What is wrong with a line, and what its fault is to say. */
const BAD_LINES: readonly (readonly [line: string, says: RegExp])[] = [
  ['ftp://www.example.com/a', /scheme ftp; only http and https/],
  [`https://user:secret@${HOST}/a`, /user name or password; remove it/],
  [`https://${HOST}/a\u0007b`, /control character/],
  ['https://d999999zzzzzz9.cloudfront.net/a', /another distribution than d111111abcdef8\.cloudfront\.net/],
  ['https://d111111abcdef8.SIN2-P1.cloudfront.net/a', /a POP's own name as its host/],
  ['https://192.0.2.1/a', /an address as its host/],
  ['www.example.com/a', /no scheme; write https:\/\/www\.example\.com\/a/],
  [`https://${HOST}/${'x'.repeat(8200)}`, /CloudFront takes at most 8192/],
  ['https://www.example.com/a https://www.example.com/b', /two URLs; write one a line/],
  ['https://exa mple.com/a', /not a valid URL/],
  ['https://localhost/a', /a host without a dot/],
];
const MIXED = ['url', GOOD, ...BAD_LINES.map(([line]) => line), `${GOOD}-2`].join('\n');

interface Refusal {
  readonly name: string;
  /** Text or bytes of the list; default: a good one. */
  readonly list?: string | Buffer;
  readonly args?: readonly string[];
  /** Each is found in what is said. */
  readonly says: readonly RegExp[];
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'every bad line of a list together',
    list: MIXED,
    says: BAD_LINES.map(([, says], at) => new RegExp(`urls.csv, line ${at + 3}: ".*": .*${says.source}`)),
  },
  {
    name: 'the first 20 bad lines of 30',
    list: [GOOD, ...Array.from({ length: 30 }, (_, at) => `gopher://${HOST}/${at}`)].join('\n'),
    says: [/line 21: "gopher:\/\/d111111abcdef8.cloudfront.net\/19"/, /^ {2}and 10 more$/m, /go on without them: --skip-bad/],
  },
  {
    name: 'a table without a url column',
    list: 'name,size\na,1\n',
    says: [/line 1: "name,size": is neither a URL nor a header with a column named url; name the column/, /^(?!.*--skip-bad)/s],
  },
  { name: 'an empty list', list: '', says: [/urls.csv: is empty; write one URL a line/] },
  { name: 'a list with a header only', list: '\ufeffurl\r\n\r\n', says: [/holds no URL; write one a line/] },
  {
    name: 'binary junk',
    list: Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * 7919) % 256)),
    says: [/line 1: /, /NUL bytes|not valid UTF-8/],
  },
  { name: 'a compressed list', list: gzipSync(GOOD_LIST), says: [/is compressed by gzip; unpack it first/] },
  { name: 'a list in UTF-16', list: Buffer.from(`\ufeff${GOOD_LIST}`, 'utf16le'), says: [/is UTF-16; save it as UTF-8/] },
  {
    name: 'POPs that are none',
    args: ['--pops', 'Paris,SIN2-P1,FRA', '--pops', 'apac'],
    says: [
      /--pops: "Paris": is not the name of a POP; write a POP name such as CDG/,
      /--pops: "FRA": .*FRA\d/,
      /--pops: "apac": is a region, not a POP/,
    ],
  },
  { name: 'regions that are none', args: ['--regions', 'apac,moon'], says: [/--regions: "moon": is not a region; write one of all, apac/] },
  {
    name: 'countries that are none',
    args: ['--countries', 'japan,united,Atlantis'],
    says: [/--countries: "united": is not a country; it may be .*\(US\)/, /--countries: "Atlantis": is not a country/],
  },
  {
    name: 'two ways to say where',
    args: ['--pops', 'SIN2-P1', '--regions', 'eu'],
    says: [/ --pops: --pops and --regions exclude each other; give one of them/],
  },
  {
    name: 'headers that nobody may send',
    args: [
      ...PLACE,
      ...['X-A: b\r\nHost: evil', 'Connection: close', 'Host: x', 'Range: bytes=0-1', 'If-None-Match: "x"', 'no colon', 'X-B: ü'].flatMap(
        (line) => ['--header', line],
      ),
    ],
    says: [
      /--header: "X-A: b\\r\\nHost: evil": holds a line end/,
      /"Connection: close": Connection names a property of the connection/,
      /"Host: x": Host is taken from each URL/,
      /"Range: bytes=0-1": Range would warm only a part/,
      /If-None-Match makes the download conditional/,
      /"no colon": has no colon; write it as Name: value/,
      /beyond printable ASCII/,
    ],
  },
  {
    name: 'numbers out of their range, and files and folders that are not there',
    args: [
      ...PLACE,
      '--timeout',
      '0',
      '--agents',
      '0',
      '--concurrency',
      '513',
      '--edge-port',
      '65536',
      '--edge-http-port',
      '1.5',
      '--out',
      '/nowhere/report.csv',
      '--ca-file',
      '/nowhere/ca.pem',
      '--dns-server',
      'localhost',
    ],
    says: [
      /--timeout: "0": write a whole number of minutes from 1 to 1440/,
      /--agents: "0": write a whole number from 1/,
      /--concurrency: "513": write a whole number from 1 to 512/,
      /--edge-port: "65536": write a whole number from 1 to 65535/,
      /--edge-http-port: "1.5"/,
      /--out: "\/nowhere\/report.csv": lies in a folder that does not exist; make \/nowhere first/,
      /--ca-file: "\/nowhere\/ca.pem": cannot be read \(ENOENT\)/,
      /--dns-server: "localhost": write an IP address and a port/,
    ],
  },
  {
    name: 'URLs of flags',
    args: [...PLACE, '--url', 'htp://x.example.com/', '--url', ''],
    says: [/--url: "htp:\/\/x.example.com\/": has the scheme htp/, /--url: is empty/],
  },
  {
    name: 'a domain that is none',
    args: [...PLACE, '--domain', 'https://www.example.com/'],
    says: [/--domain: "https:\/\/www.example.com\/": .*d111111abcdef8.cloudfront.net/],
  },
];

const NOTHING_SENT = /^prewarm: nothing was sent, because the input is not right:\n(?: {2}[^\n]+\n)+(?:Correct these lines[^\n]*\n)?$/;

describe('what is refused', () => {
  test('refused input ends the run with 2 and with field, line, value and remedy of every fault, and nothing is sent', {
    timeout: 60_000,
  }, async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge();
    const atEdge = dnsFlags(scene, edge);
    const limit = pLimit(4);
    const ends = await Promise.all(
      REFUSALS.map(({ list = GOOD_LIST, args = PLACE }, at) =>
        limit(() => scene.run(['run', scene.list(list, `${at}/urls.csv`), ...atEdge, ...args])),
      ),
    );
    for (const [at, { name, says }] of REFUSALS.entries()) {
      const { code, stdout, stderr } = ends[at] ?? {};
      expect({ name, code, stdout, stderr }).toEqual({ name, code: 2, stdout: '', stderr: expect.stringMatching(NOTHING_SENT) });
      for (const what of says) expect(`${name}\n${stderr}`).toMatch(what);
    }
    expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0, ranges: 0 });
    expect(edge.dnsQuestions.size).toBe(0);
    expect(scene.temporaries()).toEqual([]);
  });

  test('hosts that lead to no distribution, or to two, are refused with questions to DNS alone', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({
      aliases: ['www.example.com'],
      cnames: { 'other.example.com': 'd999999zzzzzz9.cloudfront.net', 'apex.example.com': 'd111111abcdef8.sin2-p1.cloudfront.net' },
    });
    const args = ['run', '--pops', 'SIN2-P1', ...dnsFlags(scene, edge)];
    const [unknown, hidden, two] = await Promise.all([
      scene.run([...args, '--url', 'https://nowhere.example.org/a']),
      scene.run([...args, '--url', 'https://apex.example.com/a']),
      scene.run([...args, '--url', 'https://www.example.com/a', '--url', 'https://other.example.com/b']),
    ]);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(
      /--domain: no distribution was found for nowhere.example.org; an ALIAS record would hide it; pass the distribution's own name/,
    );
    expect(hidden.code).toBe(2);
    expect(hidden.stderr).toMatch(
      /no distribution was found for apex.example.com; apex.example.com has an address but no CNAME .* ALIAS record hides/,
    );
    expect(two.code).toBe(2);
    expect(two.stderr).toMatch(/the URLs belong to different distributions: .*; make one request for each/);
    expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0 });
  });

  test('refused input is left out where the user says so, and the rest is warmed', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge();
    const out = ['--json', '--out', scene.at('report.csv')];
    const { code, stdout, stderr } = await scene.run(['run', scene.list(MIXED), '--skip-bad', ...PLACE, ...mapFlags(scene, edge), ...out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${BAD_LINES.length} bad lines were left out\n` });
    expect(lastProgress(stdout)).toMatchObject({ status: 'FINISHED', total_count: 2, warmed_count: 2 });
    expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf([GOOD, `${GOOD}-2`], ['SIN2-P1']));
    expect(GOOD).toBe(urlOf(edge, '/o/1k/good'));
  });
});
