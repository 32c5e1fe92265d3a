import { expect, test } from 'vitest';
import { type AskDynamo, billDynamo } from '../../bench/cost-dynamo-bill.ts';
import { billCall, type WireCall } from '../../bench/cost-bill.ts';
import { addUsage, fitLine, NO_USAGE, priceUsage, totalOf } from '../../bench/cost-usage.ts';
import { listPrices } from '../../deployment/monthly-cost.ts';

const KB = 1024;
const wire = (call: Partial<WireCall>): WireCall => ({
  service: 'sqs',
  method: 'POST',
  path: '/',
  target: '',
  body: Buffer.alloc(0),
  answer: Buffer.alloc(0),
  ...call,
});
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const nobody: AskDynamo = () => Promise.reject(new Error('nobody is asked'));
const dynamo = (operation: string, request: object, answer: object, status = 200, ask = nobody) =>
  billDynamo({ operation, request, answer, status }, ask);
const item = (bytes: number) => ({ a: { S: 'x'.repeat(bytes - 1) } });

test('the list prices make what a million of everything costs', () => {
  const million = { ...NO_USAGE, sqsRequests: 1e6, dynamoWrites: 1e6, dynamoReads: 1e6, s3Puts: 1e6, s3Gets: 1e6, lambdaCalls: 1e6 };
  const priced = priceUsage({ ...million, apiCalls: 1e6, lambdaGbSeconds: 1000, logBytes: 2e9 }, listPrices());
  expect(priced).toMatchObject({ sqsRequests: 0.4, dynamoWrites: 0.625, dynamoReads: 0.125, s3Puts: 5, s3Gets: 0.4, lambdaCalls: 0.2 });
  expect(priced).toMatchObject({ apiCalls: 3.5, logBytes: 1 });
  expect(priced.lambdaGbSeconds).toBeCloseTo(0.01333, 5);
  expect(totalOf(priced)).toBeCloseTo(0.4 + 0.625 + 0.125 + 5 + 0.4 + 0.2 + 3.5 + 1 + 0.01333, 4);
});

test('two requests tell what grows with the targets and what does not, and never a negative share', () => {
  const run = (targets: number, s3Puts: number, dynamoReads: number) => ({ targets, usage: addUsage(NO_USAGE, { s3Puts, dynamoReads }) });
  const { perMillion, perRequest } = fitLine(run(10_000, 25, 9), run(110_000, 225, 8));
  expect(perMillion.s3Puts).toBeCloseTo(2000);
  expect(perRequest.s3Puts).toBeCloseTo(5);
  expect([perMillion.dynamoReads, perRequest.dynamoReads]).toEqual([0, 8]);
  const steep = fitLine(run(10_000, 1, 0), run(20_000, 4, 0));
  expect([steep.perMillion.s3Puts, steep.perRequest.s3Puts]).toEqual([200, 0]);
});

test('calls are billed by what they carry, and what is free is', () => {
  const entries = [{ MessageBody: 'x'.repeat(40 * KB) }, { MessageBody: 'x'.repeat(40 * KB) }];
  expect(billCall(wire({ target: 'AmazonSQS.SendMessageBatch', body: json({ Entries: entries }) })).usage).toEqual({ sqsRequests: 2 });
  const empty = billCall(wire({ target: 'AmazonSQS.ReceiveMessage', answer: json({}) }));
  expect(empty).toEqual({ name: 'sqs ReceiveMessage (empty)', usage: { sqsRequests: 1 } });
  const bucket = (method: string, path: string) => billCall(wire({ service: 's3', method, path })).usage;
  expect(bucket('PUT', '/lists/key')).toEqual({ s3Puts: 1 });
  expect(bucket('GET', '/lists/requests/a?x-id=GetObject')).toEqual({ s3Gets: 1 });
  expect(bucket('GET', '/lists?list-type=2')).toEqual({ s3Puts: 1 });
  expect(bucket('DELETE', '/lists/key')).toEqual({});
  expect(billCall(wire({ service: 'autoscaling', body: Buffer.from('Action=SetDesiredCapacity&Version=1') }))).toEqual({
    name: 'autoscaling SetDesiredCapacity',
    usage: {},
  });
  expect(() => billCall(wire({ service: 'kms', target: 'TrentService.Decrypt' }))).toThrow('kms Decrypt');
});

test('units follow from the items, read or not, filtered or refused', async () => {
  expect(await dynamo('GetItem', { ConsistentRead: true }, {})).toEqual({ dynamoReads: 1 });
  expect(await dynamo('GetItem', { ConsistentRead: true }, { Item: item(5 * KB) })).toEqual({ dynamoReads: 2 });
  expect(await dynamo('GetItem', {}, { Item: item(100) })).toEqual({ dynamoReads: 0.5 });
  const keys = { t: { Keys: [{}, {}, {}], ConsistentRead: true } };
  expect(await dynamo('BatchGetItem', { RequestItems: keys }, { Responses: { t: [item(100), item(5 * KB)] } })).toEqual({ dynamoReads: 4 });
  const whole: AskDynamo = async (_, request) => ({ Items: 'FilterExpression' in request ? [] : [item(9 * KB)] });
  const filtered = { FilterExpression: 'attribute_exists(counted)', ConsistentRead: true };
  expect(await dynamo('Query', filtered, { Items: [] }, 200, whole)).toEqual({ dynamoReads: 3 });
  expect(await dynamo('PutItem', {}, { ConsumedCapacity: { CapacityUnits: 3 } })).toEqual({ dynamoWrites: 3 });
  expect(await dynamo('PutItem', { Item: item(100) }, { Item: item(3 * KB) }, 400)).toEqual({ dynamoWrites: 3 });
  const transaction = { TransactItems: [{ Put: { TableName: 't', Item: item(100) } }, { Update: { TableName: 't', Key: {} } }] };
  const stored: AskDynamo = async () => ({ Item: item(3 * KB) });
  expect(await dynamo('TransactWriteItems', transaction, {}, 400, stored)).toEqual({ dynamoWrites: 2 + 6 });
  await expect(dynamo('PutItem', {}, {})).rejects.toThrow('told no units');
});
