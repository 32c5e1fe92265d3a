import { RemovalPolicy } from 'aws-cdk-lib';
import { type Attribute, AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { DYNAMO_TABLES, type TableSchema, TTL_ATTRIBUTE } from '../../deployment/tables.ts';

export interface TablesProps {
  /** Keep the tables when the stack is removed, and refuse to delete them by hand. */
  readonly retainData: boolean;
}

/** The three tables of the request store. Their names are CloudFormation's, so that a kept table is not in the way of a new stack. */
export class Tables extends Construct {
  readonly requests: Table;
  readonly pops: Table;
  readonly tasks: Table;

  constructor(scope: Construct, id: string, props: TablesProps) {
    super(scope, id);
    this.requests = this.createTable('Requests', DYNAMO_TABLES.requests, props);
    this.pops = this.createTable('RequestPops', DYNAMO_TABLES.pops, props);
    this.tasks = this.createTable('RequestTasks', DYNAMO_TABLES.tasks, props);
  }

  private createTable(id: string, schema: TableSchema, { retainData }: TablesProps): Table {
    const table = new Table(this, id, {
      partitionKey: text(schema.partitionKey),
      ...(schema.sortKey === null ? {} : { sortKey: text(schema.sortKey) }),
      ...(schema.stream === null ? {} : { stream: StreamViewType[schema.stream] }),
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: TTL_ATTRIBUTE,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retainData,
      removalPolicy: retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    if (schema.index !== null) {
      const { name, partitionKey, sortKey } = schema.index;
      table.addGlobalSecondaryIndex({
        indexName: name,
        partitionKey: text(partitionKey),
        ...(sortKey === null ? {} : { sortKey: text(sortKey) }),
        projectionType: ProjectionType.KEYS_ONLY,
      });
    }
    return table;
  }
}

function text(name: string): Attribute {
  return { name, type: AttributeType.STRING };
}
