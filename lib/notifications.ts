import { Stack } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

export interface NotificationsProps {
  readonly envName: string;
}

/** Who is told what: programs of a request's end (bus), people of a request's end and of alarms (topics). */
export class Notifications extends Construct {
  /** Carries `PrewarmRequestEnded`. */
  readonly bus: EventBus;
  /** One message per ended request. Subscribe to it. */
  readonly requests: Topic;
  /** One message per alarm that is raised or settles. Subscribe to it. */
  readonly alarms: Topic;
  /** Raised by the backlog alarm alone; the fleet's function listens. */
  readonly backlog: Topic;

  constructor(scope: Construct, id: string, { envName }: NotificationsProps) {
    super(scope, id);
    this.bus = new EventBus(this, 'Bus', { eventBusName: `prewarm_${envName}`, description: 'What happens to pre-warming requests' });
    this.requests = new Topic(this, 'Requests', { topicName: `prewarm_${envName}`, enforceSSL: true });
    this.alarms = new Topic(this, 'Alarms', { topicName: `prewarm_alarms_${envName}`, enforceSSL: true });
    this.backlog = new Topic(this, 'Backlog', { topicName: `prewarm_backlog_${envName}`, enforceSSL: true });
    for (const topic of [this.alarms, this.backlog]) topic.addToResourcePolicy(fromAlarms(topic));
  }
}

/** A topic with a policy of its own loses the one by which alarms of the account may publish to it. */
function fromAlarms(topic: Topic): PolicyStatement {
  return new PolicyStatement({
    sid: 'AlarmsOfThisAccount',
    principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
    actions: ['sns:Publish'],
    resources: [topic.topicArn],
    conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(topic).account } },
  });
}
