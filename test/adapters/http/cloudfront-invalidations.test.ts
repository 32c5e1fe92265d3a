import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCloudFrontInvalidations } from '../../../adapters/aws/cloudfront-invalidations.ts';
import { type AnswerServer, openAnswerServer, type ServerAnswer } from '../../../testing/answer-server.ts';

const XMLNS = 'xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"';

let server: AnswerServer;
let reply: (request: string, nth: number) => ServerAnswer;

const distribution = (id: string, domain: string, aliases: readonly string[]) =>
  `<DistributionSummary><Id>${id}</Id><DomainName>${domain}</DomainName><Aliases><Quantity>${aliases.length}</Quantity><Items>${aliases
    .map((alias) => `<CNAME>${alias}</CNAME>`)
    .join('')}</Items></Aliases></DistributionSummary>`;

function listing(items: readonly string[], next?: string): ServerAnswer {
  const more = next === undefined ? '<IsTruncated>false</IsTruncated>' : `<NextMarker>${next}</NextMarker><IsTruncated>true</IsTruncated>`;
  const body = `<DistributionList ${XMLNS}><Marker/>${more}<MaxItems>2</MaxItems><Quantity>${items.length}</Quantity><Items>${items.join('')}</Items></DistributionList>`;
  return { status: 200, body };
}

function invalidation(status: number, state: string): ServerAnswer {
  return {
    status,
    body: `<Invalidation ${XMLNS}><Id>I2J0I21PCUYOIK</Id><Status>${state}</Status><CreateTime>2026-11-20T00:00:00Z</CreateTime></Invalidation>`,
  };
}

function failure(status: number, code: string): ServerAnswer {
  return {
    status,
    body: `<ErrorResponse ${XMLNS}><Error><Type>Sender</Type><Code>${code}</Code><Message>because</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
  };
}

const PAGES = (request: string): ServerAnswer | null => {
  if (request === 'GET /2020-05-31/distribution') return listing([distribution('E1', 'd1.cloudfront.net', [])], 'm2');
  if (request === 'GET /2020-05-31/distribution?Marker=m2') return listing([distribution('E2', 'd2.cloudfront.net', ['www.example.com'])]);
  return null;
};

beforeEach(async () => {
  server = await openAnswerServer((request, nth) => reply(request, nth));
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDFRONT', server.url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent/config');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent/credentials');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const create = (domain: string | null) => createCloudFrontInvalidations().create(domain, 'ref-1', ['/a', '/b?x=1&y=2']);

test('the CloudFront client finds the distribution on a later page, by its name or an alias, and creates the batch as given', async () => {
  reply = (request) => PAGES(request) ?? invalidation(201, 'InProgress');
  for (const domain of ['D2.cloudfront.net', 'www.example.com']) expect(await create(domain)).toEqual({ id: 'I2J0I21PCUYOIK' });
  const { request, body } = server.received[2] ?? {};
  expect(request).toBe('POST /2020-05-31/distribution/E2/invalidation');
  expect(body).toContain('<CallerReference>ref-1</CallerReference>');
  expect(body).toContain('<Path>/a</Path><Path>/b?x=1&amp;y=2</Path>');
  expect(body).toContain('<Quantity>2</Quantity>');
});

test('the CloudFront client reports whether an invalidation is complete, and looks a distribution up once', async () => {
  reply = (request, nth) => PAGES(request) ?? invalidation(200, nth === 1 ? 'InProgress' : 'Completed');
  const invalidations = createCloudFrontInvalidations();
  expect(await invalidations.isComplete('d1.cloudfront.net', 'I2J0I21PCUYOIK')).toBe(false);
  expect(await invalidations.isComplete('d1.cloudfront.net', 'I2J0I21PCUYOIK')).toBe(true);
  expect(server.received.map(({ request }) => request)).toEqual([
    'GET /2020-05-31/distribution',
    'GET /2020-05-31/distribution/E1/invalidation/I2J0I21PCUYOIK',
    'GET /2020-05-31/distribution/E1/invalidation/I2J0I21PCUYOIK',
  ]);
});

test.each([
  [400, 'TooManyInvalidationsInProgress'],
  [400, 'Throttling'],
  [429, 'TooManyRequests'],
  [500, 'InternalError'],
  [503, 'ServiceUnavailable'],
] as const)(
  'an answer of %i %s is passing trouble, wherever it comes, and is not waited for here',
  { timeout: 30_000 },
  async (status, code) => {
    const passing = { code: 'invalidation_busy', message: expect.stringContaining(code) };
    reply = () => failure(status, code);
    await expect(create('d1.cloudfront.net')).rejects.toMatchObject(passing);
    reply = (request) => PAGES(request) ?? failure(status, code);
    await expect(create('d1.cloudfront.net')).rejects.toMatchObject(passing);
    await expect(createCloudFrontInvalidations().isComplete('d1.cloudfront.net', 'I2J0I21PCUYOIK')).rejects.toMatchObject(passing);
    reply = (request) => PAGES(request) ?? invalidation(201, 'InProgress');
    expect(await create('d1.cloudfront.net')).toEqual({ id: 'I2J0I21PCUYOIK' });
  },
);

test('an API that nobody answers at is passing trouble', async () => {
  await server.close();
  await expect(create('d1.cloudfront.net')).rejects.toMatchObject({ code: 'invalidation_busy', cause: expect.any(Error) });
  server = await openAnswerServer((request, nth) => reply(request, nth));
});

test.each(['InvalidArgument', 'BatchTooLarge'])('a batch that is refused as %s is no fault of the request', async (code) => {
  reply = (request) => PAGES(request) ?? failure(code === 'InvalidArgument' ? 400 : 413, code);
  expect(await create('d1.cloudfront.net')).toEqual({ refused: `${code}: because` });
});

test.each([
  [404, 'NoSuchDistribution'],
  [403, 'AccessDenied'],
  [400, 'MissingBody'],
] as const)('an answer of %i %s is no passing trouble', async (status, code) => {
  reply = (request) => PAGES(request) ?? failure(status, code);
  await expect(create('d1.cloudfront.net')).rejects.toMatchObject({ code: 'invalidation', message: expect.stringContaining(code) });
});

test('a distribution of another account is an error that says so', async () => {
  reply = (request) => PAGES(request) ?? failure(500, 'unexpected');
  await expect(create('d3.cloudfront.net')).rejects.toMatchObject({
    code: 'invalidation',
    message: expect.stringContaining('no distribution of this AWS account'),
  });
  await expect(create(null)).rejects.toMatchObject({ code: 'invalidation', message: expect.stringContaining('--domain') });
});

test('a refused permission names the permissions that are needed', async () => {
  reply = () => failure(403, 'AccessDenied');
  await expect(create('d1.cloudfront.net')).rejects.toMatchObject({
    code: 'invalidation',
    message: expect.stringContaining('cloudfront:CreateInvalidation'),
  });
});

test('missing credentials are an error that says what to set', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  await expect(create('d1.cloudfront.net')).rejects.toMatchObject({
    code: 'invalidation',
    message: expect.stringContaining('AWS_ACCESS_KEY_ID'),
  });
  expect(server.received).toEqual([]);
});
