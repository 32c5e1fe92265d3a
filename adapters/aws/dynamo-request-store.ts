import type { RequestStore } from '../../core/ports/request-store.ts';
import { createDynamoCalls, type DynamoCallsOptions } from './dynamo-calls.ts';
import { claimMethods } from './dynamo-claims.ts';
import { countTasks } from './dynamo-count-tasks.ts';
import { readingMethods } from './dynamo-reading.ts';
import { requestMethods } from './dynamo-requests.ts';
import type { DynamoTableNames } from '../../deployment/tables.ts';
import { taskMethods } from './dynamo-tasks.ts';

export interface DynamoRequestStoreOptions extends DynamoCallsOptions {
  /** Tables made after `DYNAMO_TABLES`. */
  readonly tables: DynamoTableNames;
}

/**
 * The tables on DynamoDB. Every method throws PrewarmError `storage` when DynamoDB fails for longer than retries help.
 * What `create`, `transition`, `end` and `putTask` change is told through the streams. `list` alone may be a moment behind.
 */
export function createDynamoRequestStore(options: DynamoRequestStoreOptions): RequestStore {
  const { tables, clock } = options;
  const calls = createDynamoCalls(options);
  return {
    ...readingMethods(calls, tables),
    ...requestMethods(calls, tables, clock),
    ...taskMethods(calls, tables),
    ...claimMethods(calls, tables, clock),
    countTasks: (requestId, taskIds, at) => countTasks({ calls, tables, clock }, requestId, taskIds, at),
  };
}
