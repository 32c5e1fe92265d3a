import { expect, test } from 'vitest';
import { proxyNote } from '../../../cli/print/proxy-note.ts';

const NOTE = 'is not used: downloads go straight to the addresses of the POPs, and calls to AWS go there directly';

test.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'])(
  '%s is named as a proxy that is not used',
  (name) => {
    expect(proxyNote({ [name]: 'http://proxy.example.com:3128' })).toBe(`${name} ${NOTE}`);
  },
);

test('of several one is named, and never what it holds', () => {
  const note = proxyNote({ all_proxy: 'socks5://a', https_proxy: 'http://user:secret@b', HTTP_PROXY: 'http://c' });
  expect(note).toBe(`https_proxy ${NOTE}`);
});

test('nothing is said where no proxy is named, or where NO_PROXY leaves none for any host', () => {
  expect(proxyNote({})).toBeNull();
  expect(proxyNote({ HTTPS_PROXY: '', https_proxy: ' ', NO_PROXY: 'example.com' })).toBeNull();
  expect(proxyNote({ NO_PROXY: '*' })).toBeNull();
  for (const name of ['NO_PROXY', 'no_proxy']) expect(proxyNote({ HTTPS_PROXY: 'http://a', [name]: ' * ' })).toBeNull();
  // For some hosts only, the proxy is still one that a user counts on.
  expect(proxyNote({ HTTPS_PROXY: 'http://a', NO_PROXY: 'localhost,.example.com' })).toBe(`HTTPS_PROXY ${NOTE}`);
});
