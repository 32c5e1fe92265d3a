import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { createS3ViewerHeaders } from '../../adapters/aws/s3-viewer-headers.ts';
import { systemClock } from '../../core/clock.ts';
import type { ViewerHeaders } from '../../core/ports/viewer-headers.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openViewerHeaders({ bucket, tables }: FunctionConfig<'bucket' | 'tables'>): ViewerHeaders {
  return createS3ViewerHeaders({ client: new S3Client(), bucket }, { client: new DynamoDBClient(), clock: systemClock, tables });
}
