import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, CreateMultipartUploadCommand, PutBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { callAccount, emulatorUnavailable, startEmulatedAccount } from '../../testing/aws-account/emulated-account.ts';

interface Credentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
}

const document = (...Statement: unknown[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const ROWS = {
  Effect: 'Allow',
  Action: 'dynamodb:PutItem',
  Resource: '*',
  Condition: {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['agents#????????-????-????-????-????????????'] },
    Null: { 'dynamodb:LeadingKeys': 'false' },
  },
};
const OBJECTS = { Effect: 'Allow', Action: 's3:PutObject', Resource: '*' };
const ONCE = {
  Effect: 'Deny',
  Principal: '*',
  Action: 's3:PutObject',
  Resource: 'arn:aws:s3:::results/requests/*/results/*',
  Condition: { Null: { 's3:if-none-match': 'true' } },
};

test.skipIf(emulatorUnavailable() !== null)(
  'with IAM enforced, conditions on partition keys and on If-None-Match hold as they do on AWS',
  async () => {
    const account = await startEmulatedAccount({ auth: true });
    const own = { ...account.client, forcePathStyle: true };
    const clients: { destroy(): void }[] = [];
    const keep = <T extends { destroy(): void }>(client: T): T => {
      clients.push(client);
      return client;
    };
    try {
      const [iam, root] = [keep(new IAMClient(account.client)), keep(new S3Client(own))];
      const trust = document({ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' });
      const { Role } = await iam.send(new CreateRoleCommand({ RoleName: 'agent', AssumeRolePolicyDocument: trust }));
      await iam.send(new PutRolePolicyCommand({ RoleName: 'agent', PolicyName: 'own', PolicyDocument: document(ROWS, OBJECTS) }));
      await root.send(new CreateBucketCommand({ Bucket: 'results' }));
      await root.send(new PutBucketPolicyCommand({ Bucket: 'results', Policy: document(ONCE) }));
      const key = { AttributeName: 'pk', KeyType: 'HASH' };
      await callAccount(account, 'dynamodb', 'create_table', {
        TableName: 'rows',
        KeySchema: [key],
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        BillingMode: 'PAY_PER_REQUEST',
      });
      const taken = { RoleArn: Role?.Arn, RoleSessionName: 'agent' };
      const { Credentials: given } = await callAccount<{ Credentials: Credentials }>(account, 'sts', 'assume_role', taken);
      const credentials = { accessKeyId: given.AccessKeyId, secretAccessKey: given.SecretAccessKey, sessionToken: given.SessionToken };
      const [dynamo, s3] = [keep(new DynamoDBClient({ ...account.client, credentials })), keep(new S3Client({ ...own, credentials }))];

      const put = (pk: string) => dynamo.send(new PutItemCommand({ TableName: 'rows', Item: { pk: { S: pk } } }));
      await put(`agents#${randomUUID()}`);
      for (const pk of [randomUUID(), 'operator', 'active', `idempotency#${randomUUID()}`])
        await expect(put(pk)).rejects.toThrow(/not authorized to perform: dynamodb:PutItem/);

      const Key = 'requests/1/results/SIN2-P1/0/0.csv';
      const write = (name: string, once: boolean) =>
        s3.send(new PutObjectCommand({ Bucket: 'results', Key: name, Body: 'x', ...(once ? { IfNoneMatch: '*' } : {}) }));
      await write('requests/1/urls.csv', false);
      await expect(write(Key, false)).rejects.toThrow(/explicit deny in a resource-based policy/);
      await expect(s3.send(new CreateMultipartUploadCommand({ Bucket: 'results', Key }))).rejects.toThrow(/explicit deny/);
      await write(Key, true);
      await expect(write(Key, true)).rejects.toMatchObject({ name: 'PreconditionFailed' });
    } finally {
      for (const client of clients) client.destroy();
      await account.stop();
    }
  },
  300_000,
);
