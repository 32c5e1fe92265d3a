import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { attempt } from './aws-error.ts';

/** Texts of small objects in S3. Throws PrewarmError `storage`. */
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
