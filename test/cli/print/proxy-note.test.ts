import { expect, test } from 'vitest';
import { proxyNote } from '../../../cli/print/proxy-note.ts';

const NOTE = 'is not used: downloads go straight to the addresses of the POPs, and calls to AWS go there directly';

test.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'])(
  'the proxy note names %s as a proxy that is not used',
  (name) => {
    expect(proxyNote({ [name]: 'http://proxy.example.com:3128' })).toBe(`${name} ${NOTE}`);
  },
);

test('the proxy note names one of several proxies and never shows its value', () => {
  const note = proxyNote({ all_proxy: 'socks5://a', https_proxy: 'http://user:secret@b', HTTP_PROXY: 'http://c' });
  expect(note).toBe(`https_proxy ${NOTE}`);
});

test('the proxy note is empty without a proxy, and where NO_PROXY excludes every host', () => {
  expect(proxyNote({})).toBeNull();
  expect(proxyNote({ HTTPS_PROXY: '', https_proxy: ' ', NO_PROXY: 'example.com' })).toBeNull();
  expect(proxyNote({ NO_PROXY: '*' })).toBeNull();
  for (const name of ['NO_PROXY', 'no_proxy']) expect(proxyNote({ HTTPS_PROXY: 'http://a', [name]: ' * ' })).toBeNull();
  // For some hosts only, the proxy is still one that a user counts on.
  expect(proxyNote({ HTTPS_PROXY: 'http://a', NO_PROXY: 'localhost,.example.com' })).toBe(`HTTPS_PROXY ${NOTE}`);
});
