import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../../core/errors.ts';
import { inputFault } from '../../../core/input-fault.ts';
import { parseRequestBody } from '../../../core/request/request-body.ts';
import { checkTargets, type FieldNames, settleRequest, validateRequest } from '../../../core/request/request-input.ts';
import { popCatalogue } from '../../../data/catalogue.ts';

const catalogue = popCatalogue();
const DOMAIN = 'd111111abcdef8.cloudfront.net';
const URLS = [`https://${DOMAIN}/a`];

const parse = (body: unknown) => parseRequestBody(body, catalogue);

function refusal(action: () => unknown): InvalidInput {
  try {
    action();
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('the body of POST /prewarm', () => {
  it('a body of POST /prewarm needs only URLs, and gets the documented defaults', () => {
    const input = parse({ url_list: [...URLS, `https://${DOMAIN}/a#again`], cf_domain: null, pops: null, nobody: 'knows this' });
    expect(input).toMatchObject({
      urls: URLS,
      hosts: [DOMAIN],
      domain: null,
      variants: [{ name: 'default', headers: [] }],
      acceptStatus: null,
      timeoutMinutes: 30,
      agents: 1,
      invalidate: false,
    });
    expect(input.pops).toHaveLength(30);
    expect(input.pops.every(({ named }) => !named)).toBe(true);
  });

  it('a body of POST /prewarm may have every field', () => {
    const input = parse({
      url_list: URLS,
      cf_domain: 'WWW.example.com',
      target_type: 'pop',
      pops: ['sin2-p1', 'FRA56-P4'],
      timeout: 1440,
      header: ['Accept-Encoding: br'],
      instance_count: 1000,
      need_invalidate: true,
      accept_status: [404, 200, 404],
    });
    expect(settleRequest(input, DOMAIN, catalogue)).toEqual({
      domain: DOMAIN,
      pops: [
        { pop: 'SIN2-P1', named: true },
        { pop: 'FRA56-P4', named: true },
      ],
      variants: [{ name: 'default', headers: [['Accept-Encoding', 'br']] }],
      acceptStatus: [200, 404],
      timeoutMinutes: 1440,
      agents: 1000,
      invalidate: true,
    });
  });

  it('the POPs of a request are chosen once, and anew only where the distribution is of another network', () => {
    const input = parse({ url_list: URLS, target_type: 'region', regions: ['apac'] });
    const settled = settleRequest(input, DOMAIN, catalogue);
    expect(settled.pops).toBe(input.pops);
    expect(settled).not.toHaveProperty('suffix');
    expect(settled).not.toHaveProperty('popsField');
    const defaults = parse({ url_list: URLS });
    const chinese = settleRequest(defaults, 'd111111abcdef8.cloudfront.cn', catalogue);
    expect(defaults.pops.map(({ pop }) => pop)).not.toContain('BJS9-E1');
    expect(chinese.pops.map(({ pop }) => pop)).toContain('BJS9-E1');
  });

  it('a body of POST /prewarm sets how long the first byte may take, in whole seconds from 1 to 180', () => {
    expect(parse({ url_list: URLS, first_byte_timeout: 180 })).toMatchObject({ firstByteTimeoutSeconds: 180 });
    for (const absent of [{}, { first_byte_timeout: null }]) {
      expect(parse({ url_list: URLS, ...absent })).not.toHaveProperty('firstByteTimeoutSeconds');
    }
    for (const wrong of [0, 181, 1.5, '60', [60]]) {
      const { faults } = refusal(() => parse({ url_list: URLS, first_byte_timeout: wrong }));
      expect(faults).toMatchObject([
        { field: 'first_byte_timeout', message: expect.stringMatching(/whole number of seconds from 1 to 180/) },
      ]);
    }
  });

  it('a body of POST /prewarm reads only the list of its target type', () => {
    const lists = { pops: ['nonsense'], countries: ['JP'], regions: 17 };
    expect(parse({ url_list: URLS, target_type: 'country', ...lists }).pops.map(({ pop }) => pop)).toEqual(['NRT57-P2', 'NRT57-P3']);
  });

  it.each([
    ['all', 30, false],
    [['SIN2-P1', 'ATL56-C1'], 2, true],
    [['au', 'JP'], 4, false],
    [['all'], 30, false],
    ['apac', 8, false],
    [['india', 'DE'], 4, false],
    [['JP', 'india'], 4, false],
    [[], 30, false],
  ])('a body of POST /prewarm may have the older form of regions: %j', (region, count, named) => {
    const { pops } = parse({ url_list: URLS, region });
    expect(pops).toHaveLength(count);
    expect(pops.every((pop) => pop.named === named)).toBe(true);
  });

  const AT = { url_list: URLS };
  it.each([
    ['a list of POPs by region', { target_type: 'pop', region: ['ATL56-C1', 'DFW55-C3'] }, ['ATL56-C1', 'DFW55-C3']],
    ['POPs by region beside an empty list', { target_type: 'pop', region: ['ATL56-C1'], pops: [] }, ['ATL56-C1']],
    ['a country by region', { target_type: 'country', region: ['india'] }, ['BOM78-P1', 'BOM78-P4']],
    ['countries without a target type', { countries: ['JP'] }, ['NRT57-P2', 'NRT57-P3']],
    ['regions without a target type, beside empty lists', { regions: ['jp'], pops: [], countries: null }, ['NRT51-P2', 'NRT57-P3']],
    ['the same places in both forms', { target_type: 'pop', pops: ['sin2-p1'], region: ['SIN2-P1'] }, ['SIN2-P1']],
    [
      'a list beside others that its type does not read',
      { target_type: 'pop', pops: ['SIN2-P1'], cities: ['x'], countries: 7 },
      ['SIN2-P1'],
    ],
    ['one POP however often it is named', { pops: Array.from({ length: 3000 }, (_, n) => (n % 2 ? 'SIN2-P1' : ' sin2-p1 ')) }, ['SIN2-P1']],
  ])('a body of POST /prewarm means %s', (_, places, pops) => {
    expect(parse({ ...AT, ...places }).pops.map(({ pop }) => pop)).toEqual(pops);
  });

  it.each([
    ['countries', { countries: ['JP'], regions: ['eu'] }, /countries and regions are given/],
    ['pops', { pops: ['SIN2-P1'], region: ['SIN2-P1'] }, /pops and region are given/],
    ['countries', { target_type: 'pop', pops: [], countries: ['JP'] }, /not read with target_type pop/],
    ['cities', { target_type: 'region', cities: ['Paris'] }, /not read with target_type region/],
    ['cities', { cities: ['Paris'] }, /cannot be chosen by yet/],
    ['region', { region: ['SIN2-P1', 'apac'] }, /mixes/],
    ['region', { region: ['SIN2-P1', 'nowhere'] }, /neither a POP, nor a region, nor a country/],
    ['region', { region: {} }, /list of POPs/],
    ['region', { region: '' }, /neither/],
    ['region', { target_type: 'pop', pops: ['SIN2-P1'], region: ['apac'] }, /other places than pops/],
    ['target_type', { target_type: 'POP', pops: ['SIN2-P1'] }, /pop, country, region/],
    ['pops', { pops: [''] }, /not the name of a POP/],
    ['pops', { pops: 'SIN2-P1' }, /list of POPs/],
    ['pops', { pops: Array.from({ length: 1001 }, (_, n) => `AAA${n}`) }, /more than 1000/],
    ['countries', { countries: Array.from({ length: 1001 }, (_, n) => `c${n}`) }, /more than 1000/],
    ['header', { header: Array.from({ length: 2501 }, () => 'x') }, /2501 lines/],
    ['accept_status', { accept_status: Array.from({ length: 1000 }, () => 1) }, /1000 statuses/],
  ])('a body of POST /prewarm is refused with the field %s, and not warmed elsewhere: %j', (field, places, message) => {
    const { faults } = refusal(() => parse({ ...AT, ...places }));
    expect(faults.map((fault) => fault.field)).toEqual([field]);
    expect(faults[0]?.message).toMatch(message);
  });

  it('null leaves out every field of a body but the URLs', () => {
    const names = 'cf_domain target_type pops countries regions cities region timeout header instance_count need_invalidate accept_status';
    const nothing = Object.fromEntries([...names.split(' '), 'notify_url'].map((name) => [name, null]));
    expect(parse({ ...AT, ...nothing })).toEqual(parse(AT));
    expect(refusal(() => parse({ url_list: null })).faults[0]?.message).toMatch(/is missing/);
  });

  it('a refused body spells out 20 of the wrong places and counts the others, with hints for the first', () => {
    const error = refusal(() => parse({ ...AT, pops: Array.from({ length: 900 }, (_, n) => `SIN-${n}`) }));
    expect(error.faults).toHaveLength(20);
    expect(error.omitted).toBe(880);
    expect(error.faults[0]?.message).toMatch(/such as SIN/);
    expect(error.faults[19]?.message).not.toMatch(/such as SIN/);
  });

  it('a refused body has a message of 20 lines and a count, however many faults there are', () => {
    const faults = Array.from({ length: 1000 }, (_, n) => inputFault('pops', `SIN-${n}`, 'is wrong'));
    const lines = new InvalidInput(faults, [], 5).message.split('\n');
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('and 985 more');
  });

  it('a body of POST /prewarm is refused where URLs times POPs exceed the limit of a request', () => {
    const spec = parse({ ...AT, pops: ['SIN2-P1', 'FRA56-P4'] });
    expect(() => checkTargets(spec, 5, { maximum: 10, field: 'url_list' })).not.toThrow();
    expect(() => checkTargets(spec, 6, { maximum: 10, field: 'url_list' })).toThrow(/makes 12 targets .*10 at most/);
  });

  it('a body without POPs leaves the default POPs to the distribution once that is known', () => {
    const input = parse({ url_list: ['https://www.example.com/'], cf_domain: 'www.example.com' });
    expect(settleRequest(input, 'd111111abcdef8.cloudfront.cn', catalogue).pops.map(({ pop }) => pop)).toContain('BJS9-E1');
    expect(parse({ url_list: ['https://d1.cloudfront.cn/'] }).pops).toHaveLength(4);
  });

  it.each([
    [null, 'body', /JSON object/],
    [[], 'body', /JSON object/],
    ['text', 'body', /JSON object/],
    [{}, 'url_list', /is missing/],
    [{ url_list: [] }, 'url_list', /at least one/],
    [{ url_list: 'https://www.example.com/' }, 'url_list', /list of URLs/],
    [{ url_list: [7] }, 'url_list', /list of URLs/],
    [{ url_list: ['www.example.com'] }, 'url_list', /write https:/],
    [{ url_list: URLS, cf_domain: 'https://x.example' }, 'cf_domain', /without scheme/],
    [{ url_list: URLS, cf_domain: 'd2.cloudfront.net' }, 'url_list', /request of its own/],
    [{ url_list: URLS, target_type: 'continent' }, 'target_type', /pop, country, region/],
    [{ url_list: URLS, pops: 'SIN2-P1' }, 'pops', /list of POPs/],
    [{ url_list: URLS, pops: ['SIN-'] }, 'pops', /SIN2-P1/],
    [{ url_list: URLS, target_type: 'region', regions: ['mars'] }, 'regions', /apac/],
    [{ url_list: URLS, target_type: 'country', countries: ['mars'] }, 'countries', /ISO code/],
    [{ url_list: URLS, region: ['mars'] }, 'region', /apac/],
    [{ url_list: URLS, timeout: 0 }, 'timeout', /1 to 1440/],
    [{ url_list: URLS, timeout: 1441 }, 'timeout', /1 to 1440/],
    [{ url_list: URLS, timeout: 1.5 }, 'timeout', /1 to 1440/],
    [{ url_list: URLS, timeout: '30' }, 'timeout', /1 to 1440/],
    [{ url_list: URLS, header: ['Host: x'] }, 'header', /URLs/],
    [{ url_list: URLS, header: { Host: 'x' } }, 'header', /list of lines/],
    [{ url_list: URLS, instance_count: 0 }, 'instance_count', /1 to 1000/],
    [{ url_list: URLS, instance_count: 1001 }, 'instance_count', /1 to 1000/],
    [{ url_list: URLS, need_invalidate: 'yes' }, 'need_invalidate', /true or false/],
    [{ url_list: URLS, accept_status: [199] }, 'accept_status', /200 to 599/],
  ])('a body of POST /prewarm is refused with the field and the remedy: %j', (body, field, remedy) => {
    const { faults, code } = refusal(() => parse(body));
    expect(code).toBe('invalid_input');
    expect(faults).toHaveLength(1);
    expect(faults[0]?.field).toBe(field);
    expect(faults[0]?.message).toMatch(remedy);
  });

  it('a refused body has all of its faults reported together, and its wrong URLs in full', () => {
    const long = `ftp://www.example.com/${'x'.repeat(500)}`;
    const error = refusal(() =>
      parse({
        url_list: ['nope', ...URLS, long],
        cf_domain: '*',
        pops: ['x'],
        timeout: -1,
        header: ['x'],
        need_invalidate: 1,
        accept_status: ['a'],
      }),
    );
    expect(new Set(error.faults.map(({ field }) => field))).toEqual(
      new Set(['url_list', 'cf_domain', 'pops', 'timeout', 'header', 'need_invalidate', 'accept_status']),
    );
    expect(error.errorUrls).toEqual(['nope', long]);
    expect(error.message).toContain('url_list: "nope"');
    expect(error.faults.every(({ value }) => value.length <= 200)).toBe(true);
  });

  it('a refused body spells out 20 bad URLs and counts the others', () => {
    const error = refusal(() => parse({ url_list: Array.from({ length: 1000 }, (_, at) => `bad${at}`) }));
    expect(error.faults).toHaveLength(20);
    expect(error.omitted).toBe(980);
    expect(error.message).toMatch(/\nand 980 more$/);
    expect(error.errorUrls).toHaveLength(1000);
  });

  it('a refused body returns the first 1,000 bad URLs, within the length of an answer', () => {
    const many = refusal(() => parse({ url_list: Array.from({ length: 5000 }, (_, at) => `bad${at}`) }));
    expect(many.errorUrls).toEqual(Array.from({ length: 1000 }, (_, at) => `bad${at}`));
    expect(many.omitted).toBe(4980);
    const long = refusal(() => parse({ url_list: Array.from({ length: 30 }, (_, at) => `${at}${'\u0001'.repeat(100_000)}`) }));
    expect(long.errorUrls).toHaveLength(4);
    expect(long.omitted).toBe(10);
  });
});

describe('fields from a command line', () => {
  const names: FieldNames = {
    urls: '--url',
    domain: '--domain',
    pops: { pop: '--pops', country: '--countries', region: '--regions' },
    headers: '--header',
    timeout: '--timeout',
    agents: '--agents',
    acceptStatus: '--accept-status',
    firstByteTimeout: 'first_byte_timeout',
  };
  const fields = {
    urls: null,
    domain: DOMAIN,
    question: { targetType: 'pop', names: [] },
    headers: [],
    timeout: null,
    agents: '2',
    invalidate: false,
    acceptStatus: [],
  } as const;

  it('fields from a command line may have numbers as text, no timeout, and a list that is read apart', () => {
    expect(validateRequest(fields, names, catalogue)).toMatchObject({ urls: [], domain: DOMAIN, agents: 2, timeoutMinutes: null });
  });

  it('faults of fields from a command line name the flag', () => {
    const wrong = { ...fields, agents: '2x', timeout: '1e2', headers: ['x'], question: { targetType: 'region', names: ['mars'] } } as const;
    const { faults } = refusal(() => validateRequest(wrong, names, catalogue));
    expect(new Map(faults.map(({ field, value }) => [field, value]))).toEqual(
      new Map([
        ['--agents', '2x'],
        ['--header', 'x'],
        ['--regions', 'mars'],
        ['--timeout', '1e2'],
      ]),
    );
  });
});
