import { CfnCondition, Fn } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { CfnSubscription, Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { createAlarmTopic } from '../shared/alarm-topic.ts';

export interface NotificationsProps {
  readonly envName: string;
  /** A parameter: the address that gets alarms by mail; the empty string: nobody does. */
  readonly alarmEmail: string;
}

/** Carries news: of a request's end to programs (bus), and of a request's end and of alarms to people (topics). */
export class Notifications extends Construct {
  /** Carries `PrewarmRequestEnded`. */
  readonly bus: EventBus;
  /** One message per ended request. Subscribe to it. */
  readonly requests: Topic;
  /** One message per alarm that is raised or settles. Subscribe to it. */
  readonly alarms: Topic;
  /** Raised by the backlog alarm alone; the fleet's function listens. */
  readonly backlog: Topic;

  constructor(scope: Construct, id: string, { envName, alarmEmail }: NotificationsProps) {
    super(scope, id);
    this.bus = new EventBus(this, 'Bus', { eventBusName: `prewarm_${envName}`, description: 'What happens to pre-warming requests' });
    this.requests = new Topic(this, 'Requests', { topicName: `prewarm_${envName}`, enforceSSL: true });
    this.alarms = createAlarmTopic(this, 'Alarms', `prewarm_alarms_${envName}`);
    this.backlog = createAlarmTopic(this, 'Backlog', `prewarm_backlog_${envName}`);
    const mail = new CfnSubscription(this, 'AlarmMail', { topicArn: this.alarms.topicArn, protocol: 'email', endpoint: alarmEmail });
    mail.cfnOptions.condition = new CfnCondition(this, 'HasAlarmMail', {
      expression: Fn.conditionNot(Fn.conditionEquals(alarmEmail, '')),
    });
  }
}
