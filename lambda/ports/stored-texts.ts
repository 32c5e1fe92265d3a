import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { attempt } from '../../adapters/aws/aws-error.ts';

/** Texts of small objects in S3. Throws PrewarmError `storage`. */
export function openStoredTexts(): (bucket: string, key: string) => Promise<string> {
  const client = new S3Client();
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
