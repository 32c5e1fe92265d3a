import { DeleteItemCommand, DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { keys } from '../../../core/keys.ts';
import { ask, objectUrls } from '../../server/served.ts';
import { takeRole } from './agent-group.ts';
import type { Deployment } from './deployment-suite.ts';
import { makeRequest, untilEnded, untilProgress } from './requests.ts';

const DENIED = {
  $metadata: { httpStatusCode: expect.toBeOneOf([400, 403]) as number },
  name: expect.stringMatching(/^AccessDenied/) as string,
};

/** Clients with an instance's own credentials (`taken`), as somebody would have them who has taken over an agent, and with the owner's. */
async function openClients({ world, prod }: Deployment) {
  const { account } = world();
  const { AccessKeyId, SecretAccessKey, SessionToken } = await takeRole(world(), prod().image.roleArn, 'i-taken-over');
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const config = { ...account.client, credentials };
  const taken = { dynamo: new DynamoDBClient(config), s3: new S3Client({ ...config, forcePathStyle: true }) };
  const owner = { dynamo: new DynamoDBClient(account.client), s3: new S3Client({ ...account.client, forcePathStyle: true }) };
  const tables = prod().resources('AWS::DynamoDB::Table');
  return {
    taken,
    owner,
    Bucket: prod().resources('AWS::S3::Bucket')[0],
    pops: tables.find((name) => name.includes('RequestPops')),
    requests: tables.find((name) => name.includes('TablesRequests')),
    close() {
      for (const { dynamo, s3 } of [taken, owner]) {
        dynamo.destroy();
        s3.destroy();
      }
    },
  };
}

/** With the credentials of an instance, what somebody would try who has taken over an agent. */
export function registerAgentPermissionTest(deployment: Deployment): void {
  registerWritingTest(deployment);
  registerHeadersTest(deployment);
}

function registerWritingTest(deployment: Deployment): void {
  test('an agent’s role reaches no claims, plans, lists or results of others, but reaches what an agent writes', async () => {
    const clients = await openClients(deployment);
    const { dynamo, s3 } = clients.taken;
    const { Bucket, pops: TableName } = clients;
    try {
      const put = (pk: string, sk: string) => dynamo.send(new PutItemCommand({ TableName, Item: { pk: { S: pk }, sk: { S: sk } } }));
      const remove = (pk: string, sk: string) => dynamo.send(new DeleteItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: sk } } }));
      await expect(put('operator', 'claim')).rejects.toMatchObject(DENIED);
      await expect(put('idempotency#default', 'claim')).rejects.toMatchObject(DENIED);
      await expect(remove('active', randomUUID())).rejects.toMatchObject(DENIED);
      const request = randomUUID();
      for (const sk of ['plan#00000', 'pop#SIN2-P1', 'agent#taken-over']) {
        await expect(put(request, sk)).rejects.toMatchObject(DENIED);
        await expect(remove(request, sk)).rejects.toMatchObject(DENIED);
      }
      await expect(put(`headers#${request}`, 'name')).rejects.toMatchObject(DENIED);
      await put(`agents#${request}`, 'agent#taken-over');
      await remove(`agents#${request}`, 'agent#taken-over');

      const result = `requests/${request}/results/SIN2-P1/0/0.csv`;
      const write = (Key: string, IfNoneMatch?: string) =>
        s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...(IfNoneMatch === undefined ? {} : { IfNoneMatch }) }));
      await expect(write(`requests/${request}/urls.csv`, '*')).rejects.toMatchObject(DENIED);
      await expect(write(`reports/${request}/summary.json`, '*')).rejects.toMatchObject(DENIED);
      await expect(write(result)).rejects.toMatchObject(DENIED);
      await expect(s3.send(new CreateMultipartUploadCommand({ Bucket, Key: result }))).rejects.toMatchObject(DENIED);
      await write(result, '*');
      await expect(write(result, '*')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    } finally {
      clients.close();
    }
  });
}

function registerHeadersTest(deployment: Deployment): void {
  const { world, prod } = deployment;
  const SECRET = 'Bearer token-1';
  const request = (name: string) => ({
    url_list: objectUrls(3, name),
    pops: ['SIN2-P1'],
    header: [`Authorization: ${SECRET}`],
    cf_domain: 'd111111abcdef8.cloudfront.net',
  });

  test('everyone who has the name from a task can read viewer headers, which are gone when the request has ended', async () => {
    expect(await untilEnded(prod(), await makeRequest(prod(), request('guarded')))).toMatchObject({
      status: 'FINISHED',
      download_count: 3,
    });
    const clients = await openClients(deployment);
    const { taken, owner, Bucket, pops, requests } = clients;
    const release = world().edge.setFault({ path: '/o/1k/secret*', method: 'GET' }, { kind: 'stall', at: 'headers' });
    try {
      const id = await makeRequest(prod(), request('secret'));
      await untilProgress(prod(), id, ({ status }) => status === 'IN_PROGRESS');
      const row = await taken.dynamo.send(new GetItemCommand({ TableName: requests, Key: { id: { S: id } } }));
      expect(row.Item?.['id']?.S).toBe(id);
      expect(JSON.stringify(row.Item)).not.toContain(SECRET);

      const Key = { pk: { S: `headers#${id}` }, sk: { S: 'name' } };
      const named = await owner.dynamo.send(new GetItemCommand({ TableName: pops, Key }));
      const object = { Bucket, Key: keys.headers(named.Item?.['name']?.S ?? '') };
      await expect(taken.dynamo.send(new GetItemCommand({ TableName: pops, Key }))).rejects.toMatchObject(DENIED);
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': Key.pk } };
      await expect(taken.dynamo.send(new QueryCommand({ TableName: pops, ...query }))).rejects.toMatchObject(DENIED);
      for (const Prefix of [undefined, 'headers/', 'requests/'])
        await expect(taken.s3.send(new ListObjectsV2Command({ Bucket, Prefix }))).rejects.toMatchObject(DENIED);
      await expect(taken.s3.send(new PutObjectCommand({ ...object, Body: '[[]]' }))).rejects.toMatchObject(DENIED);
      await expect(taken.s3.send(new DeleteObjectCommand(object))).rejects.toMatchObject(DENIED);
      const read = await taken.s3.send(new GetObjectCommand(object));
      expect(await read.Body?.transformToString()).toBe(JSON.stringify([[['Authorization', SECRET]]]));

      await ask(prod(), `/prewarm?req_id=${id}`, { method: 'DELETE' });
      expect(await untilEnded(prod(), id)).toMatchObject({ status: 'STOPPED' });
      const left = async () => (await owner.s3.send(new ListObjectsV2Command({ Bucket, Prefix: object.Key }))).KeyCount;
      await expect.poll(left, { timeout: 60_000 }).toBe(0);
    } finally {
      await release();
      clients.close();
    }
  });
}
