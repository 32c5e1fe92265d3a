import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { createS3HeaderReader, createS3ViewerHeaders } from '../../../adapters/aws/s3-viewer-headers.ts';
import { systemClock } from '../../../core/clock.ts';
import { keys } from '../../../core/keys.ts';
import { isHeadersName } from '../../../core/work/task.ts';
import { createTables } from '../../../testing/aws-account/dynamo-test-tables.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const HEADERS = [[['Authorization', 'Bearer token-1'] as const, ['X-Ümlaut', 'ü'] as const], []];

describeWithAccount('headers that are kept apart', (account) => {
  async function open() {
    const [dynamo, client] = [new DynamoDBClient(account().client), new S3Client(account().client)];
    onTestFinished(() => {
      dynamo.destroy();
      client.destroy();
    });
    const bucket = `headers-${randomUUID().slice(0, 8)}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const tables = await createTables(dynamo);
    const headers = createS3ViewerHeaders({ client, bucket }, { client: dynamo, clock: systemClock, tables });
    const objects = async () =>
      ((await client.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []).map(({ Key = '' }) => Key);
    return { dynamo, client, bucket, tables, headers, objects };
  }

  test('viewer headers are read back under a name of 256 random bits, by everyone who has the name', async () => {
    const { client, bucket, headers, objects } = await open();
    const [one, other] = [randomUUID(), randomUUID()];
    await headers.keep(one, HEADERS);
    await headers.keep(other, [[]]);
    const name = (await headers.nameOf(one)) ?? '';
    expect(isHeadersName(name)).toBe(true);
    expect(Buffer.from(name, 'base64url')).toHaveLength(32);
    expect(await headers.nameOf(other)).not.toBe(name);
    expect(await createS3HeaderReader({ client, bucket }).read(name)).toEqual(HEADERS);
    expect(await objects()).toContain(keys.headers(name));
    expect((await objects()).join()).not.toContain(one);
  });

  test('viewer headers are kept in a partition of their own, which lapses as all rows do', async () => {
    const { dynamo, tables, headers } = await open();
    const id = randomUUID();
    expect(await headers.nameOf(id)).toBeNull();
    await headers.keep(id, HEADERS);
    const Key = { pk: { S: `headers#${id}` }, sk: { S: 'name' } };
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: tables.pops, Key }));
    expect(Item?.['name']?.S).toBe(await headers.nameOf(id));
    expect(Number(Item?.['expiresAt']?.N)).toBeGreaterThan(Date.now() / 1000 + 29 * 86_400);
  });

  test('the viewer headers that were kept first hold, and later ones get no name', async () => {
    const { headers, objects } = await open();
    const id = randomUUID();
    await headers.keep(id, HEADERS);
    const name = await headers.nameOf(id);
    await Promise.all([headers.keep(id, [[]]), headers.keep(id, [[]])]);
    expect(await headers.nameOf(id)).toBe(name);
    expect(await headers.read(name ?? '')).toEqual(HEADERS);
    expect(await objects()).toHaveLength(3);
  });

  test('viewer headers are gone once they were dropped, however often', async () => {
    const { headers, objects } = await open();
    const id = randomUUID();
    await headers.keep(id, HEADERS);
    const name = (await headers.nameOf(id)) ?? '';
    for (const _ of [1, 2]) await headers.drop(id);
    await headers.drop(randomUUID());
    expect(await objects()).toEqual([]);
    await expect(headers.read(name)).rejects.toMatchObject({ code: 'not_found' });
  });
});
