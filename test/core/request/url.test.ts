import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainQuestion, judgeDomain, parseDomain } from '../../../core/request/domain-question.ts';
import { parseHeaderLine, parseHeaders } from '../../../core/request/headers.ts';
import { formatUrlRow, parseUrlLine } from '../../../core/work/sized-list.ts';
import { MAX_URL_BYTES, parseTargetUrl } from '../../../core/request/url.ts';
import { createUrlIntake } from '../../../core/request/url-intake.ts';
import { createUrlSet } from '../../../core/request/url-set.ts';
import { settledMemory } from '../../lists/settled-memory.ts';

const DOMAIN = 'd111111abcdef8.cloudfront.net';

const urlLike = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary' }).map((text) => `https://www.example.com/${text}`),
  fc.string({ unit: 'grapheme' }).map((text) => `http://${text}.example.com/?${text}#${text}`),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
);

describe('a URL', () => {
  it.each([
    ['  https://WWW.Example.com:443/a/../b?x=1,2#frag  ', 'https://www.example.com/b?x=1,2'],
    ['http://example.com', 'http://example.com/'],
    ['https://bücher.example/ü?q=ü', 'https://xn--bcher-kva.example/%C3%BC?q=%C3%BC'],
    ['https://www.example.com/a b"c', 'https://www.example.com/a%20b%22c'],
    ['https://www.example.com/%zz?', 'https://www.example.com/%zz?'],
    [`https://${DOMAIN}/x`, `https://${DOMAIN}/x`],
    ['https://a_b.example.com/x', 'https://a_b.example.com/x'],
    ['https://www.example.com/?a=1&copy=2&lt=3', 'https://www.example.com/?a=1&copy=2&lt=3'],
    ['https://www.example.com/my file 1.jpg', 'https://www.example.com/my%20file%201.jpg'],
    ['https://www.example.com/a;v=1?x;y', 'https://www.example.com/a;v=1?x;y'],
    ['http://www.example.com:80/a', 'http://www.example.com/a'],
  ])('a URL is read as browsers read it: %j', (text, url) => {
    expect(parseTargetUrl(text, { domain: DOMAIN })).toMatchObject({ url });
  });

  it.each([
    ['', /https:\/\/www\.example\.com/],
    ['www.example.com/x', /write https:\/\/www\.example\.com\/x/],
    ['//www.example.com/x', /write https:\/\/www\.example\.com\/x/],
    ['/path/only', /write the whole URL, as in https:/],
    ['ftp://www.example.com/x', /only http and https/],
    ['https://www.example.com/p\u200b/a', /holds U\+200B.*%E2%80%8B/],
    ['\u202ahttps://www.example.com/b', /holds U\+202A/],
    ['https://www.exam\u00adple.com/c', /holds U\+00AD/],
    ['\ufeffhttps://www.example.com/', /holds U\+FEFF/],
    ['https://www.example.com/a\u2060b', /holds U\+2060/],
    ['https://www.example.com/a\u00a0b', /holds U\+00A0/],
    ['https://www.example.com/\u{e0041}', /holds U\+E0041/],
    ['https://www.example.com/d\ufffd', /holds U\+FFFD/],
    ['https://www.example.com/?a=1&amp;b=2', /holds &amp;/],
    ['https://www.example.com/?a=1&AMP;amp;b=2', /holds &AMP;/],
    ['https://www.example.com/?a=1&#38;b=2', /holds &#38;/],
    ['https://www.example.com/?q=&#x26;', /holds &#x26;/],
    ['https://www.example.com/caf&eacute;', /holds &eacute;/],
    ['http://www.example.com:8081/a', /80 and 443 only.*without the port/],
    ['https://www.example.com:80/a', /80 and 443 only/],
    ['http://www.example.com:443/a', /80 and 443 only/],
    ['https://www.example.com/a # the start page', /comment on a line of its own/],
    ['https://www.example.com/a 120', /column after a blank/],
    ['https://www.example.com/a  200 text/html', /column after a blank/],
    ['https://www.example.com/a text/html', /column after a blank/],
    ['<https://www.example.com/a>', /something before its URL/],
    ['[start](https://www.example.com/a)', /something before its URL/],
    ['https://www.example.com/a>', /write the URL alone/],
    ['https://www%2eexample.com/', /percent sign in its host/],
    ['javascript:alert(1)', /write it as in https:/],
    ['https:www.example.com', /two slashes/],
    ['https:///www.example.com', /two slashes/],
    ['https://', /two slashes/],
    ['https://user:secret@www.example.com/', /Authorization/],
    ['https://www.exa\tmple.com/', /control character/],
    ['https://www.example.com/\r\nHost: x', /control character/],
    ['https://www.example.com/\u0000', /control character/],
    ['https://www.example.com/\u0085', /control character/],
    ['https://www.example.com/\ud800', /surrogate/],
    ['https://www.example.com/a https://www.example.com/b', /one a line/],
    ['https://192.0.2.1/x', /name viewers use/],
    ['https://0x7f.1/x', /name viewers use/],
    ['https://[2001:db8::1]/x', /name viewers use/],
    ['https://localhost/x', /full name/],
    ['https://www.example.com./x', /final dot; write www\.example\.com$/],
    ['https://www..example.com/x', /no DNS name/],
    ["https://a'b.example.com/x", /no DNS name/],
    ['https://www.example.com:99999/', /host and port/],
    ['https://exa mple.com/', /host and port/],
    ['https://d222222abcdef8.cloudfront.net/x', /request of its own/],
    ['https://d111111abcdef8.cloudfront.cn/x', /request of its own/],
    ['https://d111111abcdef8.SIN2-P1.cloudfront.net/x', /name the POP apart/],
    [`https://www.example.com/${'a'.repeat(MAX_URL_BYTES)}`, /at most 8192/],
  ])('a URL is refused with the remedy: %j', (text, remedy) => {
    const parsed = parseTargetUrl(text, { domain: DOMAIN });
    expect('fault' in parsed ? parsed.fault : parsed.url).toMatch(remedy);
    expect(parsed).toHaveProperty('fault');
  });

  it('a URL may have exactly 8,192 bytes, counted as sent', () => {
    const base = 'https://www.example.com/';
    expect(parseTargetUrl(base + 'a'.repeat(MAX_URL_BYTES - base.length))).toHaveProperty('url');
    expect(parseTargetUrl(base + 'ü'.repeat((MAX_URL_BYTES - base.length) / 2))).toHaveProperty('fault');
  });

  it('the URL parser never throws, and what it accepts is ASCII, stable, bounded and safe in a list', () => {
    let accepted = 0;
    fc.assert(
      fc.property(urlLike, (text) => {
        const parsed = parseTargetUrl(text);
        if ('fault' in parsed) return;
        accepted++;
        expect(parsed.url).toMatch(/^https?:\/\/[!#-~]+$/);
        expect(parsed.url).not.toContain('#');
        expect(parsed.url.length).toBeLessThanOrEqual(MAX_URL_BYTES);
        expect(parseTargetUrl(parsed.url)).toEqual(parsed);
        expect(parseUrlLine(formatUrlRow(parsed.url).slice(0, -1))).toBe(parsed.url);
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('the set of URLs', () => {
  it('the set of URLs recognises new ones as a Set does', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('a', 'b', 'c')), { maxLength: 300 }), (urls) => {
        const [ours, model] = [createUrlSet(), new Set<string>()];
        for (const url of urls) {
          expect(ours.add(url)).toBe(!model.has(url));
          model.add(url);
        }
        expect(ours.size).toBe(model.size);
      }),
    );
  });

  it('the set of URLs keeps 300,000 URLs apart in at most 40 bytes each', async () => {
    const urls = createUrlSet();
    const before = await settledMemory();
    let news = 0;
    for (let at = 0; at < 300_000; at++) if (urls.add(`https://www.example.com/${at}`)) news++;
    expect(news).toBe(300_000);
    for (let at = 0; at < 300_000; at += 7) if (urls.add(`https://www.example.com/${at}`)) news++;
    expect(news).toBe(300_000);
    expect(urls.size).toBe(300_000);
    const after = await settledMemory();
    expect(after.buffers - before.buffers).toBeLessThanOrEqual(300_000 * 40);
    expect(after.heap - before.heap).toBeLessThan(2_000_000);
  });
});

describe('the distribution of a request', () => {
  it.each([
    [' D111111abcdef8.CloudFront.net ', DOMAIN],
    ['www.example.com', 'www.example.com'],
    ['', null],
    [null, null],
  ])('the distribution of a request is taken from %j', (raw, domain) => {
    expect(parseDomain(raw)).toEqual({ domain });
  });

  it.each([
    'https://d111111abcdef8.cloudfront.net',
    `${DOMAIN}/`,
    `${DOMAIN}:443`,
    '*.example.com',
    'nodots',
    'd1.SIN2-P1.cloudfront.net',
    '1.2.3.4',
  ])('the distribution is not taken from %j, and the fault says what to pass', (raw) => {
    const parsed = parseDomain(raw);
    expect('fault' in parsed && parsed.fault).toMatch(/d111111abcdef8\.cloudfront\.net/);
  });

  it('the distribution is known by its own name, and looked up otherwise', () => {
    expect(domainQuestion(DOMAIN, ['www.example.com'])).toEqual({ kind: 'known', domain: DOMAIN });
    expect(domainQuestion(null, ['www.example.com', DOMAIN])).toEqual({ kind: 'known', domain: DOMAIN });
    expect(domainQuestion('www.example.com', [DOMAIN])).toEqual({ kind: 'ask', hosts: ['www.example.com'], given: 'www.example.com' });
    expect(domainQuestion(null, ['a.example', 'b.example'])).toEqual({ kind: 'ask', hosts: ['a.example', 'b.example'], given: null });
  });

  it('the distribution is judged by what the lookups found', () => {
    const hosts = ['a.example', 'b.example'];
    const question = { kind: 'ask', hosts, given: null } as const;
    const judge = (answers: Record<string, string | null>, all = hosts) =>
      judgeDomain(question, new Map(Object.entries(answers)), { field: '--domain', hosts: all });
    expect(judge({ 'a.example': DOMAIN, 'b.example': null })).toEqual({ domain: DOMAIN });
    expect(judge({ 'a.example': DOMAIN, 'b.example': DOMAIN.toUpperCase() })).toEqual({ domain: DOMAIN });
    expect(judge({ 'a.example': null })).toMatchObject({
      fault: { field: '--domain', message: expect.stringMatching(/a\.example.*pass the/) },
    });
    const hidden = judgeDomain(question, new Map(), { field: '--domain', hosts, hidden: 'b.example' });
    expect(hidden).toMatchObject({ fault: { message: expect.stringMatching(/; b\.example has an address .*an ALIAS record hides the/) } });
    expect(judge({ 'a.example': DOMAIN, 'b.example': 'd2.cloudfront.net' })).toMatchObject({
      fault: { message: expect.stringMatching(/different distributions/) },
    });
    expect(judge({ 'a.example': DOMAIN }, [...hosts, 'd2.cloudfront.net'])).toMatchObject({
      fault: { message: expect.stringMatching(/d2/) },
    });
  });

  it('all URLs of a request have one distribution, even where no domain was given', () => {
    const intake = createUrlIntake(null);
    expect(intake.add(`https://${DOMAIN}/a`)).toMatchObject({ isNew: true });
    expect(intake.add(`https://${DOMAIN.toUpperCase()}:443/a#x`)).toMatchObject({ isNew: false });
    expect(intake.add('https://www.example.com/a')).toMatchObject({ isNew: true });
    expect(intake.add('https://d222222abcdef8.cloudfront.net/a')).toMatchObject({ fault: expect.stringContaining(DOMAIN) });
    expect([intake.count, intake.duplicates, intake.hosts()]).toEqual([2, 1, [DOMAIN, 'www.example.com']]);
  });
});

describe('a header line', () => {
  it('a header line is split at its first colon', () => {
    expect(parseHeaderLine('Accept-Encoding:gzip, br')).toEqual({ header: ['Accept-Encoding', 'gzip, br'] });
    expect(parseHeaderLine(' Referer:  https://a.example:1/ ')).toEqual({ header: ['Referer', 'https://a.example:1/'] });
    expect(parseHeaderLine('X-Empty:')).toEqual({ header: ['X-Empty', ''] });
  });

  it.each([
    ['no colon', /Name: value/],
    [':authority: x', /pseudo-header/],
    ['Na me: x', /letters, digits/],
    ['Name : x', /letters, digits/],
    ['X: a\r\nY: b', /one line/],
    ['X: a\u0000', /one line/],
    ['X: ü', /percent-encode/],
    ['X: a\u0007', /percent-encode/],
    ['hOST: x', /URLs/],
    ...['Connection', 'Keep-Alive', 'Proxy-Authorization', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'].map(
      (name) => [`${name}: x`, /leave it out/] as const,
    ),
    ...['Content-Length', 'Range', 'If-None-Match', 'if-modified-since', 'If-Range', 'Expect'].map(
      (name) => [`${name}: x`, /leave it out/] as const,
    ),
  ] as const)('a header line is refused with the remedy: %j', (line, remedy) => {
    const parsed = parseHeaderLine(line);
    expect('fault' in parsed && parsed.fault).toMatch(remedy);
  });

  it('headers are refused when a name comes twice or when all are too long', () => {
    expect(parseHeaders(['A: 1', 'b: 2', 'a: 3'], '--header').faults).toMatchObject([{ field: '--header', value: 'a: 3' }]);
    const [fault] = parseHeaders([`Cookie: ${'x'.repeat(13_000)}`], 'header').faults;
    expect(fault?.message).toMatch(/at most 12288/);
    expect(fault?.value).toHaveLength(200);
  });

  it('a header line never lets a line end, a NUL or a refused name through', () => {
    const part = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('Host', 'Range', 'X-A', '\r\n', '\n', '\0', ' '));
    fc.assert(
      fc.property(part, part, (name, value) => {
        const parsed = parseHeaderLine(`${name}:${value}`);
        if ('fault' in parsed) return;
        expect(parsed.header.join('')).toMatch(/^[\t -~]+$/);
        expect(parsed.header[0]).not.toMatch(/^(host|range|if-.*)$/i);
      }),
      { numRuns: 2000 },
    );
  });
});
