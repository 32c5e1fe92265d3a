/** Rows are removed by DynamoDB some time after this many days. */
export const ROW_LIFETIME_DAYS = 30;

/** Epoch seconds: the TTL attribute of every table. */
export const TTL_ATTRIBUTE = 'expiresAt';

/** Index of the request table by age. */
export const BY_CREATION = 'byCreation';

/** Partition of `BY_CREATION` that every request is in. */
export const LISTED = 'all';

/** Partition of the POP table with a row for every active request, written and removed with its status. */
export const ACTIVE_PARTITION = 'active';

/**
 * Before the id of a request: a partition of the POP table with what its agents have finished and not recorded. It is apart from the
 * request's own rows because a policy tells partitions apart, and agents may write in this one alone.
 */
export const AGENTS_PARTITION_PREFIX = 'agents#';

/** Before the id of a request: a partition of the POP table with the name of the object that holds its headers. No agent may read it. */
export const HEADERS_PARTITION_PREFIX = 'headers#';

interface TableKeys {
  readonly partitionKey: string;
  /** Null: the partition key alone. */
  readonly sortKey: string | null;
}

/** A table as both the templates and the tests create it. Every key is a string. */
export interface TableSchema extends TableKeys {
  /** What the table's stream carries; null: it has none. */
  readonly stream: 'NEW_IMAGE' | 'NEW_AND_OLD_IMAGES' | null;
  /** An index that holds the keys only; its keys never change, so that updates of a row cost nothing there. */
  readonly index: (TableKeys & { readonly name: string }) | null;
}

/** The three tables of `createDynamoRequestStore`. On demand, with the TTL attribute `expiresAt`. */
export const DYNAMO_TABLES: Readonly<Record<'requests' | 'pops' | 'tasks', TableSchema>> = {
  /** One item per request, its attributes named as in `RequestRow`; a null is an attribute that is not there. */
  requests: {
    partitionKey: 'id',
    sortKey: null,
    stream: 'NEW_AND_OLD_IMAGES',
    index: { name: BY_CREATION, partitionKey: 'listed', sortKey: 'listedAt' },
  },
  /**
   * By `pk` and `sk`: `<request>` with `plan#<n>` (POPs of the plan, 200 to an item) and `pop#<POP>` (its counters);
   * `agents#<request>` with `agent#<agent>` (what it has finished and not recorded); `active` with the id of each active request;
   * `headers#<request>` with `name` (of the object with its headers); `operator` with `claim`; `idempotency#<key>` with `claim`.
   */
  pops: { partitionKey: 'pk', sortKey: 'sk', stream: null, index: null },
  /** One item per recorded task; `counted` is there once it is in the sums. */
  tasks: { partitionKey: 'requestId', sortKey: 'taskId', stream: 'NEW_IMAGE', index: null },
};

/** Names of the three tables. */
export type DynamoTableNames = Readonly<Record<'requests' | 'pops' | 'tasks', string>>;
