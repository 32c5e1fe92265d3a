import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { createDynamoCalls } from '../../../adapters/aws/dynamo-calls.ts';
import { createDynamoMinuteClaims } from '../../../adapters/aws/dynamo-minute-claims.ts';
import { type Clock, systemClock } from '../../../core/clock.ts';
import type { MinuteClaims } from '../../../core/ports/minute-claims.ts';
import { type Decide, startFaultyDynamo } from './faulty-dynamo.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

const hurried: Clock = { now: () => systemClock.now(), after: (ms, fn) => systemClock.after(ms / 50, fn) };

describeWithAccount('A minute that is claimed in DynamoDB', (account) => {
  async function withClaims(
    decide: Decide,
    use: (claims: MinuteClaims, client: DynamoDBClient, table: string) => Promise<void>,
  ): Promise<void> {
    const direct = new DynamoDBClient(account().client);
    const dynamo = await startFaultyDynamo(account().endpoint, decide);
    const client = new DynamoDBClient({ ...account().client, endpoint: dynamo.endpoint, maxAttempts: 1 });
    const table = `claims-${randomUUID()}`;
    try {
      await direct.send(
        new CreateTableCommand({
          TableName: table,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        }),
      );
      const calls = createDynamoCalls({ client, clock: hurried });
      await use(createDynamoMinuteClaims({ calls, table, clock: systemClock, newId: randomUUID }), direct, table);
    } finally {
      client.destroy();
      direct.destroy();
      await dynamo.close();
    }
  }

  it('a minute belongs to one of all who claim it at once, and other minutes are free', async () => {
    await withClaims(
      () => null,
      async (claims, direct, table) => {
        const claimed = await Promise.all(Array.from({ length: 12 }, () => claims.claim('keep-warm', 7)));
        expect(claimed.filter(Boolean)).toHaveLength(1);
        expect(await claims.claim('keep-warm', 8)).toBe(true);
        expect(await claims.claim('another', 7)).toBe(true);
        const { Items: rows = [] } = await direct.send(new ScanCommand({ TableName: table }));
        expect(rows).toHaveLength(3);
        for (const row of rows) expect(Number(row['expiresAt']?.N) - Date.now() / 1000).toBeGreaterThan(3000);
      },
    );
  });

  it('a minute belongs to the one that put the claim although the answer was lost, and to nobody else', async () => {
    await withClaims(
      (operation, nth) => (operation === 'PutItem' && nth === 1 ? 'lost answer' : null),
      async (claims) => {
        expect(await claims.claim('keep-warm', 7)).toBe(true);
        expect(await claims.claim('keep-warm', 7)).toBe(false);
      },
    );
  });

  it('a later try claims a minute where the first tries were throttled', async () => {
    await withClaims(
      (operation, nth) => (operation === 'PutItem' && nth <= 2 ? 'throttled' : null),
      async (claims) => {
        expect(await claims.claim('keep-warm', 7)).toBe(true);
      },
    );
  });
});
