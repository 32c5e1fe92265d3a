import { randomUUID } from 'node:crypto';
import { type AttributeDefinition, CreateTableCommand, type DynamoDBClient, type KeySchemaElement } from '@aws-sdk/client-dynamodb';
import { DYNAMO_TABLES, type DynamoTableNames, type TableSchema } from '../../deployment/tables.ts';

function keySchema({ partitionKey, sortKey }: { readonly partitionKey: string; readonly sortKey: string | null }): KeySchemaElement[] {
  const hash: KeySchemaElement = { AttributeName: partitionKey, KeyType: 'HASH' };
  return sortKey === null ? [hash] : [hash, { AttributeName: sortKey, KeyType: 'RANGE' }];
}

function definitionOf(name: string, schema: TableSchema): CreateTableCommand {
  const { index, stream } = schema;
  const keys = [...keySchema(schema), ...(index === null ? [] : keySchema(index))];
  const attributes = keys.map(({ AttributeName }): AttributeDefinition => ({ AttributeName, AttributeType: 'S' }));
  return new CreateTableCommand({
    TableName: name,
    KeySchema: keySchema(schema),
    AttributeDefinitions: attributes,
    BillingMode: 'PAY_PER_REQUEST',
    ...(index === null
      ? {}
      : {
          GlobalSecondaryIndexes: [{ IndexName: index.name, KeySchema: keySchema(index), Projection: { ProjectionType: 'KEYS_ONLY' } }],
        }),
    ...(stream === null ? {} : { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } }),
  });
}

/** Three new, empty tables, as the templates make them. */
export async function createTables(client: DynamoDBClient): Promise<DynamoTableNames> {
  const id = randomUUID().slice(0, 8);
  const names = { requests: `requests-${id}`, pops: `pops-${id}`, tasks: `tasks-${id}` };
  await client.send(definitionOf(names.requests, DYNAMO_TABLES.requests));
  await client.send(definitionOf(names.pops, DYNAMO_TABLES.pops));
  await client.send(definitionOf(names.tasks, DYNAMO_TABLES.tasks));
  return names;
}
