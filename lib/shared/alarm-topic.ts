import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';

/** A topic, over TLS only, to which the account's alarms may publish. */
export function createAlarmTopic(scope: Construct, id: string, topicName: string): Topic {
  const topic = new Topic(scope, id, { topicName, enforceSSL: true });
  // A topic with a policy of its own loses the one by which alarms of the account may publish to it.
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsOfThisAccount',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(topic).account } },
    }),
  );
  return topic;
}
