import { expect, test } from 'vitest';
import { parseRetryAfter } from '../../../adapters/http/exchange.ts';
import { askFor, openDownloader, openEdge } from './downloader-fixture.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nx-cache: Hit from cloudfront\r\n';

test.each([
  ['a space in a header name', `${HEAD}Bad Name: 1\r\ncontent-length: 2\r\n\r\nok`],
  ['a control character in a header value', `${HEAD}x-note: a\x01b\r\ncontent-length: 2\r\n\r\nok`],
  ['a length beside chunks', `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  ['an unasked upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
  ['HTTP/0.9', 'ok, no head at all\r\n\r\n'],
  ['an HTTP/2 frame', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64'],
  ['a chunk size that is no number', `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nok\r\n`],
])('%s is reported as `protocol`, with the words of the parser', async (_what, bytes) => {
  const edge = await openEdge((socket) => void socket.write(bytes));
  const got = await openDownloader().ask(askFor(edge.address));
  expect(got.error).toBe('protocol');
  expect(got.cause).not.toBe('');
  expect(got.unreached).toBe(false);
});

test.each([
  ['a space in a header name', 'Bad Name: 1\r\n', 'HPE_INVALID_HEADER_TOKEN: Invalid header token'],
  ['a control character in a header value', 'x-note: a\x01b\r\n', 'HPE_INVALID_HEADER_TOKEN: Invalid header value char'],
  ['a length that is no number', 'content-length: two\r\n', 'HPE_INVALID_CONTENT_LENGTH: Invalid character in Content-Length'],
  ['a line without its CR', 'x-note: a\n', 'HPE_CR_EXPECTED: Missing expected CR after header value'],
])('%s is reported with the parser’s code', async (_what, line, cause) => {
  const edge = await openEdge((socket) => void socket.write(`HTTP/1.1 200 OK\r\n${line}\r\nok`));
  expect(await openDownloader().ask(askFor(edge.address))).toMatchObject({ error: 'protocol', cause });
});

test.each([
  ['4', 4000],
  [' 4 ', 4000],
  ['0', 0],
  ['-4', 0],
  ['soon', 0],
  ['', 0],
  ['3600', 3_600_000],
  ['Mon, 30 Nov 2026 12:00:10 GMT', 10_000],
  ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
])('Retry-After %j asks for %d ms', (value, ms) => {
  expect(parseRetryAfter(value, 'Mon, 30 Nov 2026 12:00:00 GMT', 0)).toBe(ms);
});

test('a date in Retry-After is compared with the own clock where the answer has no Date', () => {
  expect(parseRetryAfter('Mon, 30 Nov 2026 12:00:10 GMT', '', Date.parse('Mon, 30 Nov 2026 12:00:07 GMT'))).toBe(3000);
});
