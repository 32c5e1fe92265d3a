import { CfnCondition, Duration, Fn } from 'aws-cdk-lib';
import { Alarm, type AlarmProps, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { CfnSubscription, Topic } from 'aws-cdk-lib/aws-sns';
import { METRIC_NAMESPACE, type MetricName } from '../../deployment/names.ts';
import type { NodeFunction } from '../shared/node-function.ts';
import type { TaskQueues } from './task-queues.ts';
import { createAlarmTopic } from '../shared/alarm-topic.ts';

interface NotificationsProps {
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

export interface AlarmsProps {
  readonly envName: string;
  readonly queues: TaskQueues;
  readonly functions: readonly NodeFunction[];
  readonly notifications: Notifications;
}

interface Condition {
  readonly what: string;
  /** The section of docs/runbook.md. */
  readonly section: string;
  readonly metric: IMetric;
  /** Periods of the metric, one after another. Default 1. */
  readonly periods?: number;
}

const PERIOD = Duration.minutes(5);
const BACKLOG_MINUTES = 5;

/** A metric of the functions. `status` narrows it to requests that ended in it. */
export function ownMetric(envName: string, metricName: MetricName, statistic: string = Stats.SUM, status?: string): Metric {
  return new Metric({
    namespace: METRIC_NAMESPACE,
    metricName,
    dimensionsMap: { EnvName: envName, ...(status === undefined ? {} : { Status: status }) },
    statistic,
    period: PERIOD,
  });
}

/**
 * Everything that calls for a person is one alarm, which names its section of the runbook and notifies the alarms' topic. The
 * backlog's is the exception: it wakes the function that reconciles the fleet, and scales nothing itself.
 */
export class Alarms extends Construct {
  readonly alarms: Alarm[] = [];

  private readonly props: AlarmsProps;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.props = props;
    this.watchQueues();
    this.watchFunctions();
    this.watchRequests();
    this.watchBacklog();
  }

  private watchQueues(): void {
    const { deadTasks, deadSizes, deadPlans, failed } = this.props.queues;
    // A function empties this one at once, so what is visible says nothing; and moving a message there counts as no sending.
    this.notify('DeadLetters', 'dead-letters', {
      what: 'Tasks were given up because their agents died of them; their targets are recorded as exhausted.',
      section: 'dead-letters',
      metric: deadTasks.metricNumberOfMessagesReceived({ period: PERIOD, statistic: Stats.SUM }),
    });
    const waiting = (queue: Queue) => queue.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: Stats.MAXIMUM });
    this.notify('StreamFailures', 'stream-failures', {
      what: 'A stream record, timer, event or dead letter was given up: a request may stand still.',
      section: 'stream-failures',
      metric: waiting(failed),
    });
    this.notify('SizingGivenUp', 'sizing-given-up', {
      what: 'Sizing of a request was given up: it stands still until its time-out.',
      section: 'sizing-or-planning-given-up',
      metric: waiting(deadSizes),
    });
    this.notify('PlanningGivenUp', 'planning-given-up', {
      what: 'Planning of a request was given up: it stands still until its time-out.',
      section: 'sizing-or-planning-given-up',
      metric: waiting(deadPlans),
    });
  }

  private watchFunctions(): void {
    for (const watched of this.props.functions) {
      const name = watched.node.id;
      this.notify(`${name}Errors`, `${watched.name}_errors`, {
        what: `The function ${watched.name} failed.`,
        section: 'function-errors',
        metric: watched.handler.metricErrors({ period: PERIOD, statistic: Stats.SUM }),
      });
      this.notify(`${name}Throttles`, `${watched.name}_throttles`, {
        what: `The function ${watched.name} was refused: the account's concurrency is used up.`,
        section: 'function-throttles',
        metric: watched.handler.metricThrottles({ period: PERIOD, statistic: Stats.SUM }),
      });
    }
  }

  private watchRequests(): void {
    const { envName } = this.props;
    this.notify('InstancesLeft', 'instances-left', {
      what: 'Instances were still alive 15 minutes after the last request.',
      section: 'instances-left',
      metric: ownMetric(envName, 'InstancesAfterLastRequest', Stats.MAXIMUM),
    });
    this.notify('PastTimeout', 'past-timeout', {
      what: 'A request goes on past its time-out.',
      section: 'request-past-its-time-out',
      metric: ownMetric(envName, 'RequestsPastTimeout', Stats.MAXIMUM),
    });
  }

  private watchBacklog(): void {
    const { queues, notifications } = this.props;
    const backlog = this.create('Backlog', 'backlog', {
      what: `Tasks have been waiting for ${BACKLOG_MINUTES} minutes. Wakes the function that reconciles the fleet.`,
      section: 'backlog',
      metric: queues.tasks.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: Stats.MINIMUM }),
      periods: BACKLOG_MINUTES,
    });
    backlog.addAlarmAction(new SnsAction(notifications.backlog));
  }

  private notify(id: string, name: string, condition: Condition): void {
    const action = new SnsAction(this.props.notifications.alarms);
    const alarm = this.create(id, name, condition);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }

  private create(id: string, name: string, { what, section, metric, periods = 1 }: Condition): Alarm {
    const props: AlarmProps = {
      alarmName: `prewarm_${name}_${this.props.envName}`,
      alarmDescription: `${what} What to do: docs/runbook.md#${section}`,
      metric,
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    };
    const alarm = new Alarm(this, id, props);
    this.alarms.push(alarm);
    return alarm;
  }
}
