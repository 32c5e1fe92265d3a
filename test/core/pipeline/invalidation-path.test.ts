import { expect, test } from 'vitest';
import { invalidationPathOf } from '../../../core/request/invalidation-path.ts';

test.each([
  ['https://www.example.com/img/*', '/img/%2A'],
  ['https://www.example.com/*/a?b=*', '/%2A/a?b=%2A'],
  ['https://www.example.com/vendors~main.js', '/vendors%7Emain.js'],
  ['https://www.example.com/test[1].html?q=a|b', '/test%5B1%5D.html?q=a%7Cb'],
  ['https://www.example.com/a^b?c={d}`', '/a%5Eb?c=%7Bd%7D%60'],
  ['https://www.example.com/a%7Eb%2A', '/a%7Eb%2A'],
  ["https://www.example.com/a@b!$&'()+,;=:-_.c?x=1&y=/?", "/a@b!$&'()+,;=:-_.c?x=1&y=/?"],
])('%s is invalidated as %s', (url, path) => {
  expect(invalidationPathOf(new URL(url).href)).toBe(path);
});
