import { Duration, Stack } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  MathExpression,
  Metric,
  SingleValueWidget,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import type { MetricName } from '../../deployment/names.ts';
import { type Alarms, ownMetric } from './alarms.ts';
import type { NodeFunction } from '../shared/node-function.ts';
import type { TaskQueues } from './task-queues.ts';

export interface MonitoringDashboardProps {
  readonly envName: string;
  /** Of Spot instances, and of those on demand. */
  readonly groupNames: readonly [string, string];
  readonly api: RestApi;
  readonly queues: TaskQueues;
  readonly functions: readonly NodeFunction[];
  readonly alarms: Alarms;
}

const MINUTE = Duration.minutes(1);
const ENDS = ['FINISHED', 'STOPPED', 'TIMEOUT', 'FAILED'];
const HALF = 12;
const THIRD = 8;

/** One page that answers: is it working, how fast, and what is it made of just now? */
export class MonitoringDashboard extends Construct {
  /** In the console. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: MonitoringDashboardProps) {
    super(scope, id);
    new Dashboard(this, 'Dashboard', {
      dashboardName: `prewarm_${props.envName}`,
      defaultInterval: Duration.hours(3),
      widgets: [showRequests(props), showTargets(props), showFleet(props), showFunctions(props)],
    });
    const { region } = Stack.of(this);
    this.url = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/prewarm_${props.envName}`;
  }
}

function graph(title: string, width: number, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, width, left, right, leftYAxis: { min: 0 }, rightYAxis: { min: 0 } });
}

function showRequests({ envName, alarms }: MonitoringDashboardProps): IWidget[] {
  const accepted = ownMetric(envName, 'RequestsAccepted').with({ label: 'accepted' });
  const ended = ENDS.map((status) => ownMetric(envName, 'RequestsEnded', Stats.SUM, status).with({ label: status }));
  return [
    new AlarmStatusWidget({ title: 'Alarms', width: THIRD, height: 6, alarms: alarms.alarms }),
    graph('Requests', THIRD, [accepted, ...ended]),
    new SingleValueWidget({ title: 'Requests', width: THIRD, height: 6, metrics: [accepted, ...ended], setPeriodToTimeRange: true }),
  ];
}

function showTargets({ envName }: MonitoringDashboardProps): IWidget[] {
  const counted = (name: MetricName, label: string) => ownMetric(envName, name).with({ label, period: MINUTE });
  const warmed = counted('TargetsWarmed', 'warmed');
  const alreadyWarm = counted('TargetsAlreadyWarm', 'already warm (hits)');
  const failed = counted('TargetsFailed', 'failed');
  const perSecond = new MathExpression({
    label: 'targets/s',
    // A sum with a figure that is missing is missing too.
    expression: '(FILL(warmed, 0) + FILL(alreadyWarm, 0) + FILL(failed, 0)) / PERIOD(warmed)',
    usingMetrics: { warmed, alreadyWarm, failed },
    period: MINUTE,
  });
  const bytes = new MathExpression({
    label: 'bytes/s from the edge',
    expression: 'bytes / PERIOD(bytes)',
    usingMetrics: { bytes: counted('EdgeBytes', 'bytes') },
    period: MINUTE,
  });
  return [graph('Targets per second', HALF, [perSecond], [bytes]), graph('Hits, warmed, failures', HALF, [warmed, alreadyWarm, failed])];
}

function showFleet({ envName, groupNames: [spot, onDemand], queues }: MonitoringDashboardProps): IWidget[] {
  const ofGroup = (groupName: string, metricName: string, label: string) =>
    new Metric({
      namespace: 'AWS/AutoScaling',
      metricName,
      dimensionsMap: { AutoScalingGroupName: groupName },
      statistic: Stats.MAXIMUM,
      period: MINUTE,
      label,
    });
  const depth = { period: MINUTE, statistic: Stats.MAXIMUM };
  return [
    graph(
      'Task queue',
      HALF,
      [
        queues.tasks.metricApproximateNumberOfMessagesVisible({ ...depth, label: 'waiting' }),
        queues.tasks.metricApproximateNumberOfMessagesNotVisible({ ...depth, label: 'with agents' }),
      ],
      [queues.tasks.metricApproximateAgeOfOldestMessage({ ...depth, label: 'age of the oldest (s)' })],
    ),
    graph('Instances', HALF, [
      ofGroup(spot, 'GroupDesiredCapacity', 'desired of Spot'),
      ofGroup(spot, 'GroupInServiceInstances', 'in service, Spot'),
      ofGroup(onDemand, 'GroupDesiredCapacity', 'desired on demand'),
      ofGroup(onDemand, 'GroupInServiceInstances', 'in service, on demand'),
      ownMetric(envName, 'InstancesAfterLastRequest', Stats.MAXIMUM).with({ label: 'left over' }),
    ]),
  ];
}

function showFunctions({ api, functions }: MonitoringDashboardProps): IWidget[] {
  const calls = functions.map(({ name, handler }) => handler.metricInvocations({ period: MINUTE, label: name }));
  const errors = functions.map(({ name, handler }) => handler.metricErrors({ period: MINUTE, label: name }));
  const duration = functions.map(({ name, handler }) => handler.metricDuration({ period: MINUTE, statistic: Stats.p(95), label: name }));
  return [
    graph(
      'API',
      THIRD,
      [api.metricCount({ period: MINUTE }), api.metricClientError({ period: MINUTE }), api.metricServerError({ period: MINUTE })],
      [api.metricLatency({ period: MINUTE, statistic: Stats.p(95) })],
    ),
    graph('Function calls (left), errors (right)', THIRD, calls, errors),
    graph('Function duration, p95', THIRD, duration),
  ];
}
