import type { Clock } from '../../core/clock.ts';
import type { MinuteClaims } from '../../core/ports/minute-claims.ts';
import { toItem } from './dynamo-rows.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { TTL_ATTRIBUTE } from '../../deployment/tables.ts';

export interface DynamoMinuteClaimsOptions {
  readonly calls: Pick<DynamoCalls, 'put'>;
  /** Its partition key is `id`, its TTL attribute `expiresAt`. */
  readonly table: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Tells one invocation from another: a put whose answer was lost is tried again, and must know its own claim. */
  readonly newId: () => string;
}

/** A claim is of no use once its minute is over; an hour bears clocks that differ. */
const LIFETIME_S = 3600;

/** Claims as rows: the first to put a minute's row has it. DynamoDB removes the rows by itself. */
export function createDynamoMinuteClaims({ calls, table, clock, newId }: DynamoMinuteClaimsOptions): MinuteClaims {
  return {
    async claim(key, minute) {
      const holder = newId();
      const row = { id: `${key}#${minute}`, holder, [TTL_ATTRIBUTE]: Math.floor(clock.now() / 1000) + LIFETIME_S };
      const condition = { ConditionExpression: 'attribute_not_exists(id)' };
      const before = await calls.put(`claiming the minute ${minute}`, table, toItem(row), condition);
      return before === null || before['holder']?.S === holder;
    },
  };
}
