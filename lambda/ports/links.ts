import { S3Client } from '@aws-sdk/client-s3';
import { createS3Links, type S3Links } from '../../adapters/aws/s3-links.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openLinks({ bucket }: FunctionConfig<'bucket'>): S3Links {
  return createS3Links(new S3Client(), { bucket });
}
