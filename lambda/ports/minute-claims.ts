import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createDynamoCalls } from '../../adapters/aws/dynamo-calls.ts';
import { createDynamoMinuteClaims } from '../../adapters/aws/dynamo-minute-claims.ts';
import { systemClock } from '../../core/clock.ts';
import type { MinuteClaims } from '../../core/ports/minute-claims.ts';

export function openMinuteClaims(table: string): MinuteClaims {
  const calls = createDynamoCalls({ client: new DynamoDBClient(), clock: systemClock });
  return createDynamoMinuteClaims({ calls, table, clock: systemClock, newId: randomUUID });
}
