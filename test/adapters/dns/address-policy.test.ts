import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPublicAddress } from '../../../core/pops/address-policy.ts';

/** First and last address of every range that is not public, written out: independent of how the code states them. */
const NOT_PUBLIC_IPV4: readonly (readonly [first: string, last: string])[] = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '255.255.255.255'],
];

const toNumber = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const toIpv4 = (number: number) => [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join('.');
const ranges = NOT_PUBLIC_IPV4.map(([first, last]) => [toNumber(first), toNumber(last)] as const);
const isPublicNumber = (number: number) => !ranges.some(([first, last]) => number >= first && number <= last);

const edges = ranges.flatMap(([first, last]) => [first - 1, first, last, last + 1]).filter((number) => number >= 0 && number < 2 ** 32);
const ipv4Numbers = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(...edges));

/** The 128 bits as eight groups, and as the URL parser shortens them. */
function toIpv6(bits: bigint): string[] {
  const groups = Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - 16 * at)) & 0xffffn).toString(16));
  const full = groups.join(':');
  return [full, full.toUpperCase(), new URL(`http://[${full}]/`).hostname.slice(1, -1)];
}

test('an IPv4 address is public outside the special ranges, up to their first and last address', () => {
  for (const number of edges) expect([toIpv4(number), isPublicAddress(toIpv4(number))]).toEqual([toIpv4(number), isPublicNumber(number)]);
  fc.assert(
    fc.property(ipv4Numbers, (number) => {
      expect(isPublicAddress(toIpv4(number))).toBe(isPublicNumber(number));
    }),
  );
});

test('an IPv4-mapped address is judged as the IPv4 address inside, however it is written', () => {
  fc.assert(
    fc.property(ipv4Numbers, (number) => {
      const forms = [`::ffff:${toIpv4(number)}`, ...toIpv6((0xffffn << 32n) | BigInt(number))];
      expect(forms.map(isPublicAddress)).toEqual(forms.map(() => isPublicNumber(number)));
    }),
  );
});

test('an IPv6 address is public in 2000::/3 only, and not where it embeds IPv4, documents or is reserved', () => {
  const prefix = (bits: bigint, length: number, value: bigint) => bits >> BigInt(128 - length) === value;
  const isPublicBits = (bits: bigint) =>
    prefix(bits, 3, 0b001n) &&
    !prefix(bits, 23, 0x2001_0000n >> 9n) &&
    !prefix(bits, 32, 0x2001_0db8n) &&
    !prefix(bits, 16, 0x2002n) &&
    !prefix(bits, 20, 0x3fff0n);
  const starts = [0x2000n, 0x2001n, 0x2002n, 0x2003n, 0x2600n, 0x3fffn, 0x3ffen, 0x4000n, 0xfc00n, 0xfe80n, 0xff02n, 0x64n];
  const near = fc
    .tuple(fc.constantFrom(...starts), fc.bigInt({ min: 0n, max: 2n ** 112n - 1n }))
    .map(([start, rest]) => (start << 112n) | rest);
  const bits = fc.oneof(fc.bigInt({ min: 2n ** 48n, max: 2n ** 128n - 1n }), near);
  fc.assert(
    fc.property(bits, (value) => {
      expect(toIpv6(value).map(isPublicAddress)).toEqual(Array(3).fill(isPublicBits(value)));
    }),
  );
});

test.each([
  '::',
  '::1',
  '::10.0.0.1',
  '::8.8.8.8',
  'fe80::1',
  'fd00::1',
  'ff02::1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::8.8.8.8',
  '2002:808:808::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:db8::1',
  '100::1',
  '2600:9000::1%eth0',
  '[2600:9000::1]',
  '',
  'localhost',
  '0x7f.1',
  '2130706433',
  '127.1',
  '8.8.8.8 ',
])('%j is not public', (ip) => {
  expect(isPublicAddress(ip)).toBe(false);
});

test.each(['13.32.1.1', '99.86.0.1', '2600:9000:2000::1', '::ffff:13.32.1.1'])('%s, as CloudFront has them, is public', (ip) => {
  expect(isPublicAddress(ip)).toBe(true);
});
