import { SNSClient } from '@aws-sdk/client-sns';
import { createSnsTopic, type Topic } from '../../adapters/aws/sns-topic.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openTopic({ topicArn }: FunctionConfig<'topicArn'>): Topic {
  return createSnsTopic(new SNSClient(), { topicArn });
}
