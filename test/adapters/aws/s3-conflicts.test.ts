import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { createS3ListStore } from '../../../adapters/aws/s3-list-store.ts';
import { keys } from '../../../core/keys.ts';

type Answer = (req: IncomingMessage, res: ServerResponse, nth: number) => void;

/** A bucket that answers as the test says. `asked`: method, range and condition of each call. */
async function openBucket(answer: Answer) {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const { range = '-', 'if-match': ifMatch = '-', 'if-none-match': ifNoneMatch = '-' } = req.headers;
    asked.push(`${req.method} ${range} ${ifMatch} ${ifNoneMatch}`);
    req.resume().on('end', () => answer(req, res, asked.length));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
    maxAttempts: 1,
  });
  onTestFinished(async () => {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { lists: createS3ListStore(client, { bucket: 'lists' }), asked };
}

const refuse = (res: ServerResponse, status: number, code: string) =>
  res.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code><Message>because</Message></Error>`);

const KEY = keys.result('r1', 'FRA56-P4#0#1');
const CONDITION = 'PUT - - *';

test('a result written while another write of it is undecided is written again, until one of them is the first', async () => {
  const { lists, asked } = await openBucket((_req, res, nth) => {
    if (nth < 3) refuse(res, 409, 'ConditionalRequestConflict');
    else res.writeHead(200, { etag: '"e"' }).end();
  });
  expect(await lists.putResult(KEY, 'rows\n', { counters: 'warmed:1' })).toEqual({ existing: null });
  expect(asked).toEqual([CONDITION, CONDITION, CONDITION]);
});

test('a result that is there already is not replaced: its metadata are the answer', async () => {
  const { lists, asked } = await openBucket((req, res) => {
    if (req.method === 'PUT') refuse(res, 412, 'PreconditionFailed');
    else res.writeHead(200, { 'x-amz-meta-counters': 'warmed:2' }).end();
  });
  expect(await lists.putResult(KEY, 'rows\n', { counters: 'warmed:1' })).toEqual({ existing: { counters: 'warmed:2' } });
  expect(asked).toEqual([CONDITION, 'HEAD - - -']);
});

test('a result that is deleted between the two calls is written', async () => {
  const { lists } = await openBucket((req, res, nth) => {
    if (req.method === 'HEAD') res.writeHead(404).end();
    else if (nth === 1) refuse(res, 412, 'PreconditionFailed');
    else res.writeHead(200).end();
  });
  expect(await lists.putResult(KEY, 'rows\n', { counters: 'warmed:1' })).toEqual({ existing: null });
});

test('a body that breaks off is gone on with where it ended, in the same version of the object', async () => {
  const whole = Buffer.from('0123456789'.repeat(10_000));
  const { lists, asked } = await openBucket((req, res) => {
    const start = Number(/^bytes=(\d+)-/.exec(req.headers.range ?? '')?.[1] ?? 0);
    const rest = whole.subarray(start);
    res.writeHead(start === 0 ? 200 : 206, { etag: '"e1"', 'content-length': rest.length });
    if (rest.length > 40_000) res.write(rest.subarray(0, 30_000), () => setTimeout(() => res.destroy(), 20));
    else res.end(rest);
  });
  const parts: Uint8Array[] = [];
  for await (const part of lists.read(keys.urls('r1'))) parts.push(part);
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
  expect(asked).toEqual(['GET - - -', 'GET bytes=30000- "e1" -', 'GET bytes=60000- "e1" -']);
});

test('an object replaced in the middle of being read is an error, not a mixture', async () => {
  const { lists } = await openBucket((_req, res, nth) => {
    if (nth > 1) return refuse(res, 412, 'PreconditionFailed');
    res.writeHead(200, { etag: '"e1"', 'content-length': 100_000 }).write('x'.repeat(30_000), () => setTimeout(() => res.destroy(), 20));
  });
  await expect(Array.fromAsync(lists.read(keys.urls('r1')))).rejects.toMatchObject({
    code: 'storage',
    message: expect.stringContaining('was replaced while it was being read'),
  });
});

test('a refusal names the permission that is missing', async () => {
  const { lists } = await openBucket((req, res) => {
    if (req.method === 'HEAD') res.writeHead(403).end();
    else refuse(res, 403, 'AccessDenied');
  });
  const denied = (permission: string) => ({ code: 'denied', message: expect.stringContaining(`allow ${permission}`) });
  await expect(lists.resultMetadata(KEY)).rejects.toMatchObject(denied('s3:GetObject'));
  await expect(lists.put(keys.urls('r1'), ['a\n'])).rejects.toMatchObject(denied('s3:PutObject'));
});
