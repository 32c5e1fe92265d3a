import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { attempt } from './aws-error.ts';

// A lazy import of this module brings the client along.
export { S3Client } from '@aws-sdk/client-s3';

/** Links to objects that need no key and end by themselves. */
export interface S3Links {
  /** `fileName` is what a browser saves it as. */
  linkTo(key: string, fileName: string): Promise<string>;
}

const LINK_LASTS_SECONDS = 60 * 60;

/** Signed with this program's own credentials: a link ends after an hour, or with them. */
export function createS3Links(client: S3Client, { bucket }: { readonly bucket: string }): S3Links {
  return {
    linkTo: (key, fileName) =>
      attempt(`signing a link to ${key}`, () =>
        getSignedUrl(
          client,
          new GetObjectCommand({ Bucket: bucket, Key: key, ResponseContentDisposition: `attachment; filename="${fileName}"` }),
          { expiresIn: LINK_LASTS_SECONDS },
        ),
      ),
  };
}
