import { DeleteItemCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateMultipartUploadCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { takeRole } from './agent-group.ts';
import type { Deployment } from './deployment-suite.ts';

const DENIED = {
  $metadata: { httpStatusCode: expect.toBeOneOf([400, 403]) as number },
  name: expect.stringMatching(/^AccessDenied/) as string,
};

/** With the credentials of an instance, what somebody would try who has taken over an agent. */
export function registerAgentPermissionTest({ world, prod }: Deployment): void {
  test('with an agent’s role, claims, lists and results of others are out of reach, and what an agent writes is not', async () => {
    const { account } = world();
    const { AccessKeyId, SecretAccessKey, SessionToken } = await takeRole(world(), prod().image.roleArn, 'i-taken-over');
    const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
    const config = { ...account.client, credentials };
    const [dynamo, s3] = [new DynamoDBClient(config), new S3Client({ ...config, forcePathStyle: true })];
    try {
      const TableName = prod()
        .resources('AWS::DynamoDB::Table')
        .find((name) => name.includes('RequestPops'));
      const [Bucket] = prod().resources('AWS::S3::Bucket');
      const put = (pk: string, sk: string) => dynamo.send(new PutItemCommand({ TableName, Item: { pk: { S: pk }, sk: { S: sk } } }));
      const remove = (pk: string, sk: string) => dynamo.send(new DeleteItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: sk } } }));
      await expect(put('operator', 'claim')).rejects.toMatchObject(DENIED);
      await expect(put('idempotency#default', 'claim')).rejects.toMatchObject(DENIED);
      await expect(remove('active', randomUUID())).rejects.toMatchObject(DENIED);
      const request = randomUUID();
      await put(request, 'agent#taken-over');
      await remove(request, 'agent#taken-over');

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
      dynamo.destroy();
      s3.destroy();
    }
  });
}
