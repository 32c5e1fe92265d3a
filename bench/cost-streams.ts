import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatedAccount } from '../testing/aws-account/emulated-account.ts';

/** The changes of one table, in order, each once. Reading a stream costs nothing where Lambda is the reader. */
export interface TableStream {
  take(): Promise<readonly DynamoDBRecord[]>;
}

const UNSIGNED = 'AWS4-HMAC-SHA256 Credential=111122223333/20261121/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0';

/** From the oldest change on. */
export async function openTableStream(account: EmulatedAccount, client: DynamoDBClient, table: string): Promise<TableStream> {
  async function ask<T>(operation: string, body: object): Promise<T> {
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDBStreams_20120810.${operation}`,
      authorization: UNSIGNED,
    };
    const response = await fetch(account.endpoint, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${operation}: ${await response.text()}`);
    return (await response.json()) as T;
  }
  const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
  const StreamArn = Table?.LatestStreamArn;
  const { StreamDescription } = await ask<{ StreamDescription: { Shards: readonly { ShardId: string }[] } }>('DescribeStream', {
    StreamArn,
  });
  const ShardId = StreamDescription.Shards[0]?.ShardId;
  const start = await ask<{ ShardIterator: string }>('GetShardIterator', { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
  let iterator = start.ShardIterator;
  return {
    async take() {
      const page = await ask<{ Records: readonly DynamoDBRecord[]; NextShardIterator: string }>('GetRecords', { ShardIterator: iterator });
      iterator = page.NextShardIterator;
      return page.Records.map((record) => ({ ...record, eventSource: 'aws:dynamodb', eventSourceARN: StreamArn ?? '' }));
    },
  };
}

/** Calls again and again until `isOver`; what it throws comes out at the end. */
export async function repeat(everyMs: number, isOver: () => boolean, work: () => Promise<unknown>): Promise<void> {
  while (!isOver()) {
    await work();
    await sleep(everyMs);
  }
}
