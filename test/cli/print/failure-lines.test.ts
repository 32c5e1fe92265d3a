import { expect, test } from 'vitest';
import { formatFailures } from '../../../cli/print/failure-lines.ts';
import { createFailureDigest } from '../../../core/report/failure-digest.ts';

test('a POP that fails as a whole takes one line, so that there is room for the URLs that failed elsewhere', () => {
  const digest = createFailureDigest();
  const row = (url: string, pop: string, reason: string, cause: string) =>
    digest.add(`https://a.example/${url},${pop},default,failed,${reason},,,,,,,1,,,,cause=${cause}`);
  for (let n = 0; n < 53; n++) row(String(n), 'FOO1-P1', 'pop_unresolvable', 'd1.FOO1-P1.cloudfront.net does not exist');
  for (let n = 0; n < 53; n++) row(String(n), 'FOO2-P1', 'pop_unresolvable', 'd1.FOO2-P1.cloudfront.net does not exist');
  for (let n = 0; n < 10; n++) row(`slow/${n}`, 'SIN2-P1', 'timeout', 'no headers within 30 s');
  expect(formatFailures({ digest, whereAll: '', showAll: false }, 80).split('\n')).toEqual([
    'Failed:',
    'pop_unresolvable: 53 URLs at FOO1-P1: d1.FOO1-P1.cloudfront.net does not exist',
    'pop_unresolvable: 53 URLs at FOO2-P1: d1.FOO2-P1.cloudfront.net does not exist',
    'timeout: 10 URLs at SIN2-P1:',
    '  because: no headers within 30 s',
    ...Array.from({ length: 10 }, (_, n) => `  https://a.example/slow/${n}`),
  ]);
});
