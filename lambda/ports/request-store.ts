import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createDynamoRequestStore } from '../../adapters/aws/dynamo-request-store.ts';
import { systemClock } from '../../core/clock.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openRequestStore({ tables }: FunctionConfig<'tables'>): RequestStore {
  return createDynamoRequestStore({ client: new DynamoDBClient(), tables, clock: systemClock });
}
