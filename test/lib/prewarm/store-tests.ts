import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { MOST_RECEIVES } from '../../../core/work/task.ts';
import { resourcesOf, type Synthesized, synthesizeStacks } from './synthesize-stacks.ts';

export function testStores(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('tables are on demand, can be restored to any moment, and forget their rows', () => {
    for (const { template } of both()) {
      template.resourceCountIs('AWS::DynamoDB::Table', 3);
      template.allResourcesProperties('AWS::DynamoDB::Table', {
        BillingMode: 'PAY_PER_REQUEST',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      });
    }
  });

  test('the Request and the Request-Task table have streams, the one that changes often has none', () => {
    for (const { template } of both()) {
      const table = (key: string, stream: unknown) => ({
        KeySchema: Match.arrayWith([{ AttributeName: key, KeyType: 'HASH' }]),
        StreamSpecification: stream,
      });
      template.hasResourceProperties('AWS::DynamoDB::Table', table('id', { StreamViewType: 'NEW_AND_OLD_IMAGES' }));
      template.hasResourceProperties('AWS::DynamoDB::Table', table('requestId', { StreamViewType: 'NEW_IMAGE' }));
      template.hasResourceProperties('AWS::DynamoDB::Table', table('pk', Match.absent()));
    }
  });

  test('the bucket is private, encrypted, TLS only, and forgets after 30 days', () => {
    for (const { template } of both()) {
      template.hasResourceProperties('AWS::S3::Bucket', {
        BucketEncryption: Match.anyValue(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 30, Status: 'Enabled' })] },
      });
      template.hasResourceProperties('AWS::S3::BucketPolicy', tlsOnly('s3:*'));
    }
  });

  test('every queue is encrypted and TLS only', () => {
    for (const { template } of both()) {
      template.allResourcesProperties('AWS::SQS::Queue', { SqsManagedSseEnabled: true });
      template.allResourcesProperties('AWS::SQS::QueuePolicy', tlsOnly('sqs:*'));
      const count = (type: string) => Object.keys(template.findResources(type)).length;
      expect(count('AWS::SQS::QueuePolicy')).toBe(count('AWS::SQS::Queue'));
    }
  });

  test('a task is leased for two minutes, and is a dead letter after as many receives as on one machine', () => {
    for (const { template } of both()) {
      template.hasResourceProperties('AWS::SQS::Queue', {
        QueueName: { 'Fn::Join': ['', ['prewarm_task_', { Ref: 'envName' }]] },
        VisibilityTimeout: 120,
        RedrivePolicy: { maxReceiveCount: MOST_RECEIVES },
      });
    }
  });

  test('a dead letter that cannot be recorded ends in the queue that people are called to, and is not tried for a fortnight', () => {
    for (const { template } of both()) {
      template.hasResourceProperties('AWS::SQS::Queue', {
        QueueName: { 'Fn::Join': ['', ['prewarm_task_dead_', { Ref: 'envName' }]] },
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^QueuesFailed'), 'Arn'] }, maxReceiveCount: 5 },
      });
    }
  });

  test('removal leaves nothing behind but the logging role', () => {
    for (const { body } of both()) {
      const kept = Object.values(body.Resources).filter(
        ({ DeletionPolicy }) => DeletionPolicy !== undefined && DeletionPolicy !== 'Delete',
      );
      expect(kept.map(({ Type }) => Type).toSorted()).toEqual(['AWS::ApiGateway::Account', 'AWS::IAM::Role']);
      expect(resourcesOf(body, 'Custom::S3AutoDeleteObjects')).toHaveLength(1);
    }
  });

  test('every function writes to a log group of the stack, which its role cannot bring back', () => {
    for (const { body } of both()) {
      for (const [, { Properties }] of resourcesOf(body, 'AWS::Lambda::Function'))
        expect(Properties).toHaveProperty('LoggingConfig.LogGroup.Ref');
      expect(JSON.stringify(body.Resources)).not.toContain('logs:CreateLogGroup');
      expect(JSON.stringify(body.Resources)).not.toContain('AWSLambdaBasicExecutionRole');
    }
  });

  test('-c retainData=true keeps tables and bucket, and empties nothing', async () => {
    const retaining = await synthesizeStacks({ retainData: 'true' });
    try {
      for (const { template, body } of [retaining.own, retaining.existing]) {
        template.allResources('AWS::DynamoDB::Table', { DeletionPolicy: 'Retain', Properties: { DeletionProtectionEnabled: true } });
        template.allResources('AWS::S3::Bucket', { DeletionPolicy: 'Retain' });
        expect(resourcesOf(body, 'Custom::S3AutoDeleteObjects')).toHaveLength(0);
      }
    } finally {
      await retaining.remove();
    }
  });
}

function tlsOnly(actions: string): unknown {
  const denial = { Effect: 'Deny', Action: actions, Condition: { Bool: { 'aws:SecureTransport': 'false' } } };
  return { PolicyDocument: { Statement: Match.arrayWith([Match.objectLike(denial)]) } };
}
