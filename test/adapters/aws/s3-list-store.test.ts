import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { createS3ListStore } from '../../../adapters/aws/s3-list-store.ts';
import { keys } from '../../../core/keys.ts';
import { describeListStore } from '../contracts/list-store.contract.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const MIB = 1024 * 1024;

describeWithAccount('S3', (account) => {
  let made = 0;

  async function create() {
    const client = new S3Client(account().client);
    made += 1;
    const bucket = `lists-${made}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const lists = createS3ListStore(client, { bucket, partBytes: 5 * MIB });
    return { lists, client, bucket, dispose: () => client.destroy() };
  }

  describeListStore('S3', create);

  test('a list of more than one part is written in parts, and can be read from any byte', async () => {
    const { lists, client, bucket, dispose } = await create();
    const row = `${'x'.repeat(1023)}\n`;
    const rows = 12 * 1024;
    const key = keys.urls('big');
    expect(await lists.put(key, Array<string>(rows).fill(row))).toBe(rows * 1024);
    const { ETag: etag = '' } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    expect(etag).toMatch(/-3"$/);
    let bytes = 0;
    for await (const chunk of lists.read(key, { start: 1024 * 1024 })) bytes += chunk.length;
    expect(bytes).toBe((rows - 1024) * 1024);
    dispose();
  });

  test('an empty list is an object, and has nothing in any range', async () => {
    const { lists, dispose } = await create();
    const key = keys.urls('empty');
    expect(await lists.put(key, [])).toBe(0);
    for (const range of [undefined, { start: 0 }, { start: 0, end: 10 }, { start: 5 }, { start: 3, end: 3 }]) {
      for await (const chunk of lists.read(key, range)) expect(chunk.length).toBe(0);
    }
    await expect(lists.read(keys.urls('absent'), { start: 3, end: 3 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'not_found',
    });
    dispose();
  });

  test('a long result is kept gzipped, and read as it was written', async () => {
    const { lists, client, bucket, dispose } = await create();
    const key = keys.result('r1', 'FRA56-P4#0#12');
    const body = 'https://example.com/ü,warmed\n'.repeat(4000);
    await lists.putResult(key, body, { counters: 'warmed:1' });
    const stored = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    expect(stored.ContentEncoding).toBe('gzip');
    expect((await stored.Body?.transformToByteArray())?.length).toBeLessThan(body.length / 20);
    const parts: Uint8Array[] = [];
    for await (const part of lists.readResult(key)) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(body);
    dispose();
  });

  test('metadata come back as they were, whatever they contain', async () => {
    const { lists, dispose } = await create();
    const metadata = { counters: '<1:a >z:2 reason.status_404:1', odd: '  two  blanks, 100%, ü, 😀, a\ttab ', empty: '' };
    await lists.putResult(keys.result('r1', 'FRA56-P4#0#1'), 'x', metadata);
    expect(await lists.resultMetadata(keys.result('r1', 'FRA56-P4#0#1'))).toEqual(metadata);
    dispose();
  });

  test('a bucket that is not there is an error that names the key and where to look', async () => {
    const client = new S3Client(account().client);
    const lists = createS3ListStore(client, { bucket: 'nowhere' });
    await expect(lists.put('requests/r1/urls.csv', ['a\n'])).rejects.toMatchObject({
      name: 'PrewarmError',
      code: 'storage',
      message: expect.stringMatching(/^writing requests\/r1\/urls.csv: NoSuchBucket: .*deploy the stack/s),
    });
    client.destroy();
  });
});
