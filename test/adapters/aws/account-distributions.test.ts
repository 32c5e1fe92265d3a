import { CloudFrontClient } from '@aws-sdk/client-cloudfront';
import { expect, test } from 'vitest';
import { cloudFrontRegion, createAccountDistributions, withAccountDistributions } from '../../../adapters/aws/account-distributions.ts';
import { createEdgeMapResolver, parseEdgeMap } from '../../../adapters/dns/edge-map-resolver.ts';
import { createManualClock } from '../../../testing/manual-clock.ts';
import type { ServerAnswer } from '../../../testing/answer-server.ts';
import { openStandIn } from './aws-stand-in.ts';

const PAGES = [
  [
    ['d1.cloudfront.net', 'www.example.com'],
    ['d2.cloudfront.net', '*.example.com'],
  ],
  [['d3.cloudfront.net', '*.shop.example.com', 'Static.Example.org'], ['d4.cloudfront.net']],
] as const;

function summary([domain, ...aliases]: readonly string[]): string {
  const items = aliases.map((alias) => `<CNAME>${alias}</CNAME>`).join('');
  return `<DistributionSummary><Id>${domain}</Id><DomainName>${domain}</DomainName><Aliases><Quantity>${aliases.length}</Quantity><Items>${items}</Items></Aliases></DistributionSummary>`;
}

function page(request: string): ServerAnswer {
  const number = request.includes('Marker=m2') ? 1 : 0;
  const more = number === 0 ? '<NextMarker>m2</NextMarker><IsTruncated>true</IsTruncated>' : '<IsTruncated>false</IsTruncated>';
  const items = PAGES[number].map(summary).join('');
  const body = `<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker/>${more}<MaxItems>2</MaxItems><Quantity>2</Quantity><Items>${items}</Items></DistributionList>`;
  return { status: 200, body };
}

const DENIED = `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`;

async function openAccount(answer = page) {
  const { config, received } = await openStandIn(answer);
  const clock = createManualClock(0);
  return { account: createAccountDistributions(new CloudFrontClient(config), clock), clock, received };
}

test.each([
  ['D4.CloudFront.net', 'd4.cloudfront.net'],
  ['www.example.com', 'd1.cloudfront.net'],
  ['other.example.com', 'd2.cloudfront.net'],
  ['a.b.example.com', 'd2.cloudfront.net'],
  ['de.shop.example.com', 'd3.cloudfront.net'],
  ['shop.example.com', 'd2.cloudfront.net'],
  ['static.example.org', 'd3.cloudfront.net'],
  ['example.com', null],
  ['notexample.com', null],
  ['d9.cloudfront.net', null],
])('%s is served by %s, the most specific of the names that fit', async (host, domain) => {
  const { account } = await openAccount();
  expect(await account.findDistribution(host)).toBe(domain);
});

test('the list is read once for many hosts, and anew after some minutes', async () => {
  const { account, clock, received } = await openAccount();
  await Promise.all(['www.example.com', 'd4.cloudfront.net', 'stranger.net'].map((host) => account.findDistribution(host)));
  expect(received).toHaveLength(2);
  await clock.pass(6 * 60_000);
  await account.findDistribution('www.example.com');
  expect(received).toHaveLength(4);
});

test('a refused list is an error that names the permission, and is asked for again', async () => {
  let isAllowed = false;
  const { account } = await openAccount((request) => (isAllowed ? page(request) : { status: 403, body: DENIED }));
  await expect(account.findDistribution('www.example.com')).rejects.toMatchObject({
    code: 'denied',
    message: expect.stringContaining('allow cloudfront:ListDistributions'),
  });
  isAllowed = true;
  expect(await account.findDistribution('www.example.com')).toBe('d1.cloudfront.net');
});

test('the CNAME chain decides about a host that the account does not know, and the resolver about POPs', async () => {
  const { account } = await openAccount();
  const map = createEdgeMapResolver(parseEdgeMap('{"FRA56-P4":["127.0.0.1:8443"]}', 'map'), { allowPrivateAddresses: true });
  const resolver = withAccountDistributions({ ...map, findDistribution: async (host) => `by-cname-of-${host}` }, account, () => undefined);
  expect(await resolver.findDistribution('www.example.com')).toBe('d1.cloudfront.net');
  expect(await resolver.findDistribution('stranger.net')).toBe('by-cname-of-stranger.net');
  expect(await resolver.resolvePop(null, 'FRA56-P4')).toMatchObject({ state: 'resolved' });
});

test('where the account refuses or throttles its list, the CNAME chain decides, and the failure is reported', async () => {
  for (const answer of [
    { status: 403, body: DENIED },
    { status: 400, body: DENIED.replace('AccessDenied', 'Throttling') },
  ]) {
    const { account } = await openAccount(() => answer);
    const map = createEdgeMapResolver(parseEdgeMap('{"FRA56-P4":["127.0.0.1:8443"]}', 'map'), { allowPrivateAddresses: true });
    const told: unknown[] = [];
    const byCname = { ...map, findDistribution: async (host: string) => `by-cname-of-${host}` };
    const resolver = withAccountDistributions(byCname, account, (error) => told.push(error));
    expect(await resolver.findDistribution('www.example.com')).toBe('by-cname-of-www.example.com');
    expect(told).toMatchObject([{ message: expect.stringContaining('listing the distributions of the account') }]);
  }
});

test('CloudFront is asked in the region of its endpoint, and China has its own region', () => {
  const regions = ['eu-west-1', '', 'cn-north-1', 'cn-northwest-1'];
  expect(regions.map(cloudFrontRegion)).toEqual(['us-east-1', 'us-east-1', 'cn-northwest-1', 'cn-northwest-1']);
});
