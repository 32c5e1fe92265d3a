import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe } from 'vitest';
import { createDynamoRequestStore } from '../../adapters/aws/dynamo-request-store.ts';
import { systemClock } from '../../core/clock.ts';
import { describeRequestStore } from '../contracts/request-store.contract.ts';
import { type EmulatedAccount, emulatorUnavailable, startEmulatedAccount } from '../emulator/emulated-account.ts';
import { createTables } from './dynamo-test-tables.ts';

const unavailable = emulatorUnavailable();

describe.skipIf(unavailable !== null)(unavailable ?? 'On an emulated account', () => {
  let account: EmulatedAccount;
  let client: DynamoDBClient;
  beforeAll(async () => {
    account = await startEmulatedAccount();
    client = new DynamoDBClient(account.client);
  });
  afterAll(async () => {
    client.destroy();
    await account.stop();
  });

  describeRequestStore('DynamoDB', async () => ({
    store: createDynamoRequestStore({ client, clock: systemClock, tables: await createTables(client) }),
  }));
});
