/**
 * Requests that every deployment of the API has to refuse, each with what it has to say. Knows nothing of who answers: takes
 * an address and a key, so that the same table runs against a server on this machine and against a deployed API.
 */
export interface ApiTarget {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

export interface BadInput {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: the header is left out; absent: the right key. */
  readonly key?: string | null;
  /** A text or bytes are sent as they are, a function makes them (large ones), anything else goes as JSON. */
  readonly body?: unknown;
  /** Sent in pieces, without a length. */
  readonly chunked?: boolean;
  readonly status: number;
  /** Every one of these is in the message. */
  readonly says?: readonly string[];
  readonly errorUrls?: readonly string[];
}

export interface BadAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

const GOOD = { url_list: ['https://www.example.com/a'], cf_domain: 'd111111abcdef8.cloudfront.net', pops: ['SIN2-P1'] };
const NO_ID = '0b9f2f0e-3f63-4f0e-8a30-000000000000';
const TOO_LONG = 5 * 1024 * 1024 + 1;

const post = (body: unknown, more: Omit<BadInput, 'body' | 'what' | 'status'> & { readonly what: string }): BadInput => ({
  method: 'POST',
  path: '/prewarm',
  status: 400,
  body,
  ...more,
});
const wrong = (what: string, fields: Readonly<Record<string, unknown>>, ...says: string[]): BadInput =>
  post({ ...GOOD, ...fields }, { what, says });
const raw = (what: string, body: unknown, ...says: string[]): BadInput => post(body, { what, says });

const KEYS: readonly BadInput[] = [
  { what: 'no key', path: `/prewarm?req_id=${NO_ID}`, key: null, status: 403 },
  { what: 'a wrong key', path: '/requests', key: 'wrong', status: 403 },
  { what: 'an empty key', path: '/instances', key: '', status: 403 },
  { ...post(GOOD, { what: 'no key with a good body' }), key: null, status: 403 },
  { ...post('{', { what: 'no key with a bad body' }), key: null, status: 403 },
  { what: 'no key at an unknown path', path: '/nowhere', key: null, status: 403 },
  { what: 'no key for the figures', path: '/metrics', key: null, status: 403 },
];

const ROUTES: readonly BadInput[] = [
  { what: 'an unknown path', path: '/nowhere', status: 404 },
  { what: 'a path with a slash more', path: '/prewarm/', status: 404 },
  { what: 'a path with dots', path: '/..%2f..%2fetc%2fpasswd', status: 404 },
  { what: 'PUT', method: 'PUT', path: '/prewarm', body: GOOD, status: 405, says: ['DELETE, GET, POST'] },
  { what: 'PATCH', method: 'PATCH', path: '/instances', body: {}, status: 405, says: ['GET, POST'] },
  { what: 'POST where only GET is', method: 'POST', path: '/summary', body: {}, status: 405 },
  { what: 'DELETE of all requests', method: 'DELETE', path: '/requests', status: 405 },
];

const IDS: readonly BadInput[] = [
  { what: 'no id', path: '/prewarm', status: 400, says: ['req_id'] },
  { what: 'an unknown id', path: `/prewarm?req_id=${NO_ID}`, status: 404, says: ['req_id', NO_ID] },
  { what: 'an id that is none', path: '/prewarm?req_id=x', status: 404, says: ['req_id'] },
  { what: 'an empty id', path: '/prewarm?req_id=', status: 404, says: ['req_id'] },
  { what: 'an id with ../', path: '/prewarm?req_id=..%2F..%2Fetc%2Fpasswd', status: 404, says: ['req_id'] },
  { what: 'an id with ../ of a summary', path: '/summary?req_id=../requests', status: 404 },
  { what: 'an id with a NUL', path: '/status?requestID=%00', status: 404, says: ['requestID'] },
  { what: 'an id that is half UTF-8', path: '/prewarm?req_id=%ff%fe', status: 404 },
  { what: 'a very long id', path: `/prewarm?req_id=${'a'.repeat(4000)}`, status: 404 },
  { what: 'an id for SQL', path: `/prewarm?req_id=${encodeURIComponent("' OR 1=1 --")}`, status: 404 },
  { what: 'an unknown detail', path: `/prewarm?req_id=${NO_ID}&detail=everything`, status: 400, says: ['detail', 'pops'] },
  { what: 'an unknown id to cancel', method: 'DELETE', path: `/prewarm?req_id=${NO_ID}`, status: 404 },
  { what: 'no id to cancel', method: 'DELETE', path: '/prewarm', status: 400, says: ['req_id'] },
  { what: 'an unknown id of a summary', path: `/summary?req_id=${NO_ID}`, status: 404 },
  { what: 'no id of a status', path: '/status', status: 400, says: ['requestID'] },
  { what: 'a report without its token', path: `/reports/${NO_ID}?expires=4000000000`, status: 400, says: ['token'] },
  { what: 'a report without the time its link ends', path: `/reports/${NO_ID}?token=AAAA`, status: 400, says: ['expires'] },
  { what: 'a report of an unknown id, with a key', path: `/reports/${NO_ID}`, status: 404 },
  { what: 'a report without link or key', path: `/reports/${NO_ID}`, key: null, status: 403 },
  { what: 'a report with a wrong token', path: `/reports/${NO_ID}?expires=4000000000&token=AAAA`, status: 403 },
  { what: 'an unknown detail of the fleet', path: '/instances?detail=agents', status: 400, says: ['detail', 'write 1'] },
  { what: 'a misspelt parameter of the fleet', path: '/instances?details=1', status: 400, says: ['details', 'detail'] },
  { what: 'a page that is none', path: '/requests?after=nonsense', status: 400, says: ['after'] },
  { what: 'a page without an age', path: '/requests?after=x%2Fr1', status: 400, says: ['after', 'what the page before answered'] },
  {
    what: 'a page of an id that no request has',
    path: `/requests?after=1800000000000%2F${'a'.repeat(3000)}`,
    status: 400,
    says: ['after'],
  },
  { what: 'a page without a request', path: '/requests?after=1800000000000%2F', status: 400, says: ['after'] },
  { what: 'a page of nothing', path: '/requests?limit=0', status: 400, says: ['limit', '500'] },
  { what: 'a page of too much', path: '/requests?limit=501', status: 400, says: ['limit'] },
  { what: 'a parameter that is none', path: '/requests?limt=5&limit=5', status: 400, says: ['limt', 'takes limit, after'] },
  { what: 'a parameter of another path', path: `/prewarm?requestID=${NO_ID}`, status: 400, says: ['requestID', 'req_id'] },
  { what: 'a page of no number', path: '/requests?limit=1e2', status: 400, says: ['limit'] },
];

const JSON_FAULTS: readonly BadInput[] = [
  raw('an empty body', '', 'body'),
  raw('a body that is no JSON', 'url_list=a', 'body', 'JSON'),
  raw('half a body', '{"url_list": ["https://www.example.com/a"', 'JSON'),
  raw('a body with a comma too many', '{"url_list": [],}', 'JSON'),
  raw('two bodies', `${JSON.stringify(GOOD)}${JSON.stringify(GOOD)}`, 'JSON'),
  raw('a body that is a list', '[]', 'body', 'object'),
  raw('a body that is a text', '"url_list"', 'body', 'object'),
  raw('a body that is null', 'null', 'body', 'object'),
  raw('a body nested deeply', () => `{"url_list": ${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 'nested'),
  raw(
    'a body nested deeply in an unknown field',
    () => JSON.stringify(GOOD).replace('{', `{"x":${'{"a":'.repeat(200)}1${'}'.repeat(200)},`),
    'nested',
  ),
  raw('brackets that never close', () => '['.repeat(1_000_000), 'body', 'lists'),
  raw('a name given twice', '{"url_list": ["https://www.example.com/a"], "timeout": 1, "timeout": 2}', 'timeout', 'twice'),
  raw('a name given twice, once escaped', '{"url_list": [], "time\\u006fut": 1, "timeout": 2}', 'timeout', 'twice'),
  raw('__proto__', '{"url_list": ["https://www.example.com/a"], "__proto__": {"timeout": 5}}', '__proto__'),
  raw('__proto__ deep inside', '{"url_list": ["https://www.example.com/a"], "x": [{"__pr\\u006fto__": 1}]}', '__proto__'),
  raw('bytes that are no text', Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d]), 'body', 'UTF-8'),
  post(() => ' '.repeat(TOO_LONG), { what: 'a body over 5 MiB' }),
  post(() => JSON.stringify({ ...GOOD, url_list: Array.from({ length: 150_000 }, (_, n) => `https://www.example.com/a/long/path/${n}`) }), {
    what: 'a list over 5 MiB in pieces',
    chunked: true,
  }),
].map((row) => (row.what.includes('5 MiB') ? { ...row, status: 413, says: ['body', '5242880'] } : row));

const TYPES: readonly BadInput[] = [
  raw('no list', '{}', 'url_list', 'missing'),
  wrong('an empty list', { url_list: [] }, 'url_list'),
  wrong('a list that is a text', { url_list: 'https://www.example.com/a' }, 'url_list'),
  wrong('a list of numbers', { url_list: [1, 2] }, 'url_list'),
  wrong('a list with null', { url_list: ['https://www.example.com/a', null] }, 'url_list'),
  wrong('a domain that is a number', { cf_domain: 7 }, 'cf_domain'),
  wrong('a domain that is a URL', { cf_domain: 'https://d111111abcdef8.cloudfront.net/' }, 'cf_domain'),
  wrong('a target type that is none', { target_type: 'city' }, 'target_type', 'country'),
  wrong('POPs that are a text', { pops: 'SIN2-P1' }, 'pops'),
  wrong('two lists of places', { countries: ['JP'] }, 'pops and countries'),
  wrong('places that would not be read', { pops: [], target_type: 'pop', regions: ['apac'] }, 'regions', 'target_type'),
  wrong('cities', { pops: null, cities: ['Paris'] }, 'cities'),
  wrong('a region of several kinds', { pops: [], region: ['SIN2-P1', 'apac'] }, 'region', 'mixes'),
  wrong('more POPs than there are', { pops: Array.from({ length: 1001 }, (_, n) => `AAA${n}`) }, 'pops', '1000'),
  wrong('a malformed POP', { pops: ['SIN2-P1', 'Singapore'] }, 'pops', 'Singapore'),
  wrong('a POP with ../', { pops: ['../../etc'] }, 'pops'),
  wrong('a POP with a line end', { pops: ['SIN2-P1\r\n'.repeat(2)] }, 'pops'),
  wrong('an unknown region', { target_type: 'region', regions: ['mars'] }, 'regions', 'mars', 'apac'),
  wrong('an unknown country', { target_type: 'country', countries: ['atlantis'] }, 'countries', 'atlantis'),
  wrong('a country code that is none', { target_type: 'country', countries: ['QQ'] }, 'countries'),
  wrong('an unknown region in the older form', { pops: undefined, region: ['mars'] }, 'region', 'mars'),
  wrong('a timeout of 0', { timeout: 0 }, 'timeout', '1440'),
  wrong('a timeout below 0', { timeout: -1 }, 'timeout'),
  wrong('a timeout over a day', { timeout: 1441 }, 'timeout', '1440'),
  wrong('a timeout of half a minute', { timeout: 0.5 }, 'timeout'),
  wrong('a timeout that is a text', { timeout: 'soon' }, 'timeout'),
  raw('a timeout beyond numbers', '{"url_list": ["https://www.example.com/a"], "timeout": 1e999}', 'timeout'),
  wrong('no instances', { instance_count: 0 }, 'instance_count', '1000'),
  wrong('too many instances', { instance_count: 1001 }, 'instance_count'),
  wrong('need_invalidate that is a text', { need_invalidate: 'yes' }, 'need_invalidate', 'true'),
  wrong('a status that is none', { accept_status: [99] }, 'accept_status'),
  wrong('statuses that are no list', { accept_status: 200 }, 'accept_status'),
  wrong('a notify_url by http', { notify_url: 'http://hooks.example.com/a' }, 'notify_url', 'https'),
  wrong('a notify_url with a password', { notify_url: 'https://me:hush@hooks.example.com/a' }, 'notify_url', 'password'),
  wrong('a notify_url that is too long', { notify_url: `https://hooks.example.com/${'a'.repeat(2048)}` }, 'notify_url', '2,048'),
  wrong('a notify_url that is no text', { notify_url: ['https://hooks.example.com/a'] }, 'notify_url', 'https'),
  post(
    { ...GOOD, timeout: 0, instance_count: 0, pops: ['x'] },
    { what: 'several faults at once', says: ['timeout', 'instance_count', 'pops'] },
  ),
  post(GOOD, { what: 'an idempotency key with a blank', headers: { 'idempotency-key': 'a b' }, says: ['Idempotency-Key'] }),
  post(GOOD, { what: 'an idempotency key without end', headers: { 'idempotency-key': 'k'.repeat(256) }, says: ['Idempotency-Key'] }),
];

const BAD_URLS = [
  'ftp://www.example.com/a',
  'https://user:pw@www.example.com/',
  'not a url',
  'https://www.example.com/a\r\nHost: evil',
  '',
];
const URLS_AND_HEADERS: readonly BadInput[] = [
  post(
    { ...GOOD, url_list: ['https://www.example.com/good', ...BAD_URLS] },
    { what: 'bad URLs', says: ['url_list', 'ftp'], errorUrls: BAD_URLS },
  ),
  post(
    { ...GOOD, url_list: Array.from({ length: 1000 }, (_, n) => `nonsense ${n}`) },
    { what: 'a thousand bad URLs', says: ['url_list'], errorUrls: Array.from({ length: 1000 }, (_, n) => `nonsense ${n}`) },
  ),
  raw('half a surrogate pair in a URL', '{"url_list": ["https://www.example.com/\\ud800"]}', 'url_list'),
  wrong('a URL at an address', { url_list: ['http://169.254.169.254/latest/meta-data'] }, 'url_list'),
  wrong('a URL without end', { url_list: [`https://www.example.com/${'a'.repeat(8200)}`] }, 'url_list', '8192'),
  wrong('a header with a line end', { header: ['X-A: b\r\nX-Evil: c'] }, 'header'),
  wrong('a header with a NUL', { header: ['X-A: b\u0000'] }, 'header'),
  wrong('a header without a colon', { header: ['X-A'] }, 'header', 'Name: value'),
  wrong('the Host header', { header: ['Host: evil.example.com'] }, 'header'),
  wrong('the Range header', { header: ['range: bytes=0-0'] }, 'header'),
  wrong('a hop-by-hop header', { header: ['Connection: close'] }, 'header'),
  wrong('a header twice', { header: ['X-A: b', 'x-a: c'] }, 'header', 'twice'),
  wrong('headers that are a text', { header: 'X-A: b' }, 'header'),
];

const change = (what: string, body: unknown, status: number, ...says: string[]): BadInput => ({
  what: `instances: ${what}`,
  method: 'POST',
  path: '/instances',
  body,
  status,
  says,
});
const INSTANCES: readonly BadInput[] = [
  change('no JSON', 'DesiredCapacity=1', 400, 'body'),
  change('nothing', {}, 400, 'DesiredCapacity'),
  change('a list', [], 400, 'body'),
  change('null', { DesiredCapacity: null }, 400, 'DesiredCapacity', 'missing'),
  change('null for all', { req_id: null, DesiredCapacity: null, force_stop: null }, 400, 'DesiredCapacity', 'missing'),
  change('a text', { DesiredCapacity: 'two' }, 400, 'DesiredCapacity'),
  change('a fraction', { DesiredCapacity: 1.5 }, 400, 'DesiredCapacity'),
  change('below 0', { DesiredCapacity: -1 }, 400, 'DesiredCapacity', '1000'),
  change('too many', { DesiredCapacity: 1001 }, 400, 'DesiredCapacity'),
  change('an unknown request', { req_id: NO_ID, DesiredCapacity: 1 }, 404, 'req_id'),
  change('an id with ../', { req_id: '../x', DesiredCapacity: 1 }, 404, 'req_id'),
  change('an id that is a number', { req_id: 7, DesiredCapacity: 1 }, 400, 'req_id'),
  change('force_stop without an id', { DesiredCapacity: 0, force_stop: true }, 400, 'req_id'),
  change('force_stop that is a text', { req_id: NO_ID, DesiredCapacity: 0, force_stop: 'yes' }, 400, 'force_stop'),
  change('force_stop of an unknown request', { req_id: NO_ID, force_stop: true }, 404, 'req_id'),
  change('a name given twice', '{"DesiredCapacity": 1, "DesiredCapacity": 100}', 400, 'twice'),
];

export const BAD_INPUTS: readonly BadInput[] = [...KEYS, ...ROUTES, ...IDS, ...JSON_FAULTS, ...TYPES, ...URLS_AND_HEADERS, ...INSTANCES];

function bodyBytes(body: unknown): Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return new Uint8Array(body);
  const text = typeof body === 'function' ? (body as () => string)() : body;
  return new TextEncoder().encode(typeof text === 'string' ? text : JSON.stringify(text));
}

function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.subarray(at, at + 65_536));
      at += 65_536;
    },
  });
}

/** Sends one row; rejects when no answer comes within 10 seconds. */
export async function sendBadInput(target: ApiTarget, row: BadInput): Promise<BadAnswer> {
  const bytes = row.body === undefined ? undefined : bodyBytes(row.body);
  const body = bytes !== undefined && row.chunked === true ? inPieces(bytes) : bytes;
  const key = row.key === undefined ? target.key : row.key;
  const response = await fetch(target.url + (row.path ?? '/prewarm'), {
    method: row.method ?? 'GET',
    headers: { ...(key === null ? {} : { 'x-api-key': key }), 'content-type': 'application/json', ...row.headers },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, contentType: response.headers.get('content-type') ?? '', text: await response.text() };
}

/** What is wrong with the answer to a row; empty: it is the right one. */
export function judgeBadAnswer(row: BadInput, answer: BadAnswer): string[] {
  const faults: string[] = [];
  if (answer.status !== row.status) faults.push(`status ${answer.status}, not ${row.status}`);
  if (!answer.contentType.startsWith('application/json')) faults.push(`Content-Type ${answer.contentType}`);
  const body = parseJson(answer.text);
  if (body === null) return [...faults, `no JSON: ${answer.text.slice(0, 200)}`];
  if (row.status === 403) return answer.text === '{"message":"Forbidden"}' ? faults : [...faults, `not the bare 403: ${answer.text}`];
  if (body['status'] !== 'Failed') faults.push(`its status is ${JSON.stringify(body['status'])}`);
  const message = typeof body['error_message'] === 'string' ? body['error_message'] : '';
  if (message === '') faults.push('no error_message');
  for (const part of row.says ?? []) if (!message.includes(part)) faults.push(`says nothing of ${part}: ${message.slice(0, 300)}`);
  const wanted = JSON.stringify(row.errorUrls ?? body['error_urls']);
  if (JSON.stringify(body['error_urls']) !== wanted) faults.push(`error_urls are ${JSON.stringify(body['error_urls']).slice(0, 300)}`);
  if (!Array.isArray(body['error_urls'])) faults.push('no error_urls');
  return faults;
}

function parseJson(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}
