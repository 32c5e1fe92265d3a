import { S3Client } from '@aws-sdk/client-s3';
import { createS3ListStore } from '../../adapters/aws/s3-list-store.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openListStore({ bucket }: FunctionConfig<'bucket'>): ListStore {
  return createS3ListStore(new S3Client(), { bucket });
}
