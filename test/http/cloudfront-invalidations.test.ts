import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCloudFrontInvalidations } from '../../adapters/aws/cloudfront-invalidations.ts';
import { type AnswerServer, openAnswerServer, type ServerAnswer } from './answer-server.ts';

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

const create = (domain: string | null, firstPauseMs = 1) =>
  createCloudFrontInvalidations({ firstPauseMs }).create(domain, 'ref-1', ['/a', '/b?x=1&y=2']);

test('finds the distribution on a later page, by its name or an alias, and creates the batch as given', async () => {
  reply = (request) => PAGES(request) ?? invalidation(201, 'InProgress');
  for (const domain of ['D2.cloudfront.net', 'www.example.com']) expect(await create(domain)).toBe('I2J0I21PCUYOIK');
  const { request, body } = server.received[2] ?? {};
  expect(request).toBe('POST /2020-05-31/distribution/E2/invalidation');
  expect(body).toContain('<CallerReference>ref-1</CallerReference>');
  expect(body).toContain('<Path>/a</Path><Path>/b?x=1&amp;y=2</Path>');
  expect(body).toContain('<Quantity>2</Quantity>');
});

test('tells whether an invalidation is complete, and looks a distribution up once', async () => {
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

test('waits while too many invalidations are in progress, and gives up with a remedy', async () => {
  reply = (request, nth) => PAGES(request) ?? (nth < 4 ? failure(400, 'TooManyInvalidationsInProgress') : invalidation(201, 'InProgress'));
  expect(await create('d1.cloudfront.net')).toBe('I2J0I21PCUYOIK');
  reply = (request) => PAGES(request) ?? failure(400, 'TooManyInvalidationsInProgress');
  await expect(create('d1.cloudfront.net')).rejects.toMatchObject({
    code: 'invalidation',
    message: expect.stringContaining('try again in a few minutes'),
    cause: expect.objectContaining({ name: 'TooManyInvalidationsInProgress' }),
  });
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
