import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { EmulatedAccount } from './emulated-account.ts';

/** A client of every service that the functions work with. */
export function createAwsClients({ client }: Pick<EmulatedAccount, 'client'>) {
  return {
    dynamo: new DynamoDBClient(client),
    s3: new S3Client(client),
    sqs: new SQSClient(client),
    groups: new AutoScalingClient(client),
    scheduler: new SchedulerClient(client),
    bus: new EventBridgeClient(client),
    sns: new SNSClient(client),
  };
}
