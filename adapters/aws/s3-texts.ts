import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { attempt } from './aws-error.ts';

/** Texts of small objects in S3. Throws PrewarmError, whose code tells a refusal from a failure of S3. */
export function createS3Texts(client: S3Client): (bucket: string, key: string) => Promise<string> {
  return (bucket, key) =>
    attempt(
      `reading s3://${bucket}/${key}`,
      async () => {
        const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        if (body === undefined) throw new Error('S3 answered without a body');
        return body.transformToString();
      },
      { permissions: 's3:GetObject' },
    );
}

/** Texts of secrets by ARN or name. Throws PrewarmError `not_found`, never with a part of the secret. */
export function createSecretTexts(client: SecretsManagerClient): (id: string) => Promise<string> {
  return (id) =>
    attempt(
      `reading the secret ${id}`,
      async () => {
        const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: id }));
        if (text === undefined) throw new Error('it holds bytes instead of a text');
        return text;
      },
      {
        code: 'not_found',
        permissions: 'secretsmanager:GetSecretValue',
        remedies: { ResourceNotFoundException: 'make the secret in this account and region, or leave the parameter empty' },
      },
    );
}
