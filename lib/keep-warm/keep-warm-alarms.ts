import { CfnCondition, type CfnParameter, type CfnResource, Duration, Fn } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { KEEP_WARM_DIMENSIONS, type KeepWarmDimensions, type KeepWarmMetricName, METRIC_NAMESPACE } from '../../deployment/names.ts';
import { createAlarmTopic } from '../shared/alarm-topic.ts';
import type { NodeFunction } from '../shared/node-function.ts';
import type { RouteInput } from '../../core/keep-warm/validate-route.ts';

/** One POP through which a host is kept warm, as alarms name it. The texts may be tokens. */
export interface KeepWarmLane {
  /** Distinct, letters and digits. */
  readonly id: string;
  readonly host: string;
  readonly pop: string;
  /** Whether there is one at this place of a list whose length is known at the deploy only. Absent: there is. */
  readonly condition?: CfnCondition;
}

/** A list in a parameter may name so many: each has an alarm, and a template has a fixed number of those. */
export const MAX_LISTED_POPS = 30;

/** The POPs of routes that are known when the template is made: each host and POP once. */
export function lanesOfRoutes(routes: readonly RouteInput[]): readonly KeepWarmLane[] {
  const lanes = new Map<string, KeepWarmLane>();
  for (const { host, route } of routes) {
    for (const pop of route.pops) {
      const id = `${host} ${pop}`.replaceAll(/[^A-Za-z0-9]/g, (char) => `x${char.charCodeAt(0).toString(16)}`);
      lanes.set(id, { id, host, pop });
    }
  }
  return [...lanes.values()];
}

/** A lane for each place of the parameter's list, there or not. Behind its end the list is filled up with empty names. */
export function lanesOfParameter(scope: Construct, host: string, popList: CfnParameter): readonly KeepWarmLane[] {
  const names = Fn.split(',', Fn.join(',', [Fn.join(',', popList.valueAsList), ','.repeat(MAX_LISTED_POPS)]), 2 * MAX_LISTED_POPS);
  return names.slice(0, MAX_LISTED_POPS).map((pop, place) => {
    const id = `Pop${place}`;
    const condition = new CfnCondition(scope, `${id}IsListed`, { expression: Fn.conditionNot(Fn.conditionEquals(pop, '')) });
    return { id, host, pop, condition };
  });
}

export interface KeepWarmAlarmsProps {
  readonly envName: string;
  readonly lanes: readonly KeepWarmLane[];
  readonly functions: readonly NodeFunction[];
  /** How often a run is started; a parameter. */
  readonly rate: string;
}

interface Condition {
  readonly name: string;
  readonly what: string;
  readonly section: string;
  readonly metric: IMetric;
  /** Runs may be farther apart than a period. */
  readonly missing: TreatMissingData;
  /** Whether there is too little of it, in three periods in a row; else too much. */
  readonly isLow?: boolean;
}

const SILENT: KeepWarmMetricName = 'KeepWarmSilent';
const PERIOD = Duration.minutes(5);
const STOPPED_PERIODS = 3;
/** Rates at which every period has a run; of others a period without any says nothing. */
const FREQUENT = ['rate(1 minute)', ...[2, 3, 4, 5].map((minutes) => `rate(${minutes} minutes)`)];

/** One alarm for every POP, which names it, and those of the function: that it fails, is refused, or is started no more. All of them notify one topic. */
export class KeepWarmAlarms extends Construct {
  readonly topic: Topic;

  private readonly envName: string;

  constructor(scope: Construct, id: string, { envName, lanes, functions, rate }: KeepWarmAlarmsProps) {
    super(scope, id);
    this.envName = envName;
    this.topic = createAlarmTopic(this, 'Topic', `prewarm_keep-warm_alarms_${envName}`);
    for (const lane of lanes) this.watchPop(lane);
    const isFrequent = new CfnCondition(this, 'IsFrequent', {
      expression: Fn.conditionOr(...FREQUENT.map((each) => Fn.conditionEquals(rate, each))),
    });
    for (const watched of functions) {
      this.watchFunction(watched);
      this.watchSchedule(watched, isFrequent);
    }
  }

  private watchPop({ id, host, pop, condition }: KeepWarmLane): void {
    const alarm = this.create(id, {
      name: `keep-warm_${host}_${pop}`,
      what: `The POP ${pop} has stopped answering for ${host}, so nothing is kept warm there.`,
      section: 'pop-silent',
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName: SILENT,
        dimensionsMap: { EnvName: this.envName, Host: host, Pop: pop } satisfies KeepWarmDimensions,
        // Silent in every run of the period.
        statistic: Stats.MINIMUM,
        period: PERIOD,
      }),
      missing: TreatMissingData.IGNORE,
    });
    if (condition !== undefined) (alarm.node.defaultChild as CfnResource).cfnOptions.condition = condition;
  }

  private watchFunction({ name, node, handler }: NodeFunction): void {
    this.create(`${node.id}Errors`, {
      name: `${name}_errors`,
      what: `The function ${name} failed.`,
      section: 'errors',
      metric: handler.metricErrors({ period: PERIOD, statistic: Stats.SUM }),
      missing: TreatMissingData.NOT_BREACHING,
    });
    this.create(`${node.id}Throttles`, {
      name: `${name}_throttles`,
      what: `The function ${name} was refused: the account's concurrency is used up.`,
      section: 'throttles',
      metric: handler.metricThrottles({ period: PERIOD, statistic: Stats.SUM }),
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  /** A schedule that was disabled, or whose role is gone, calls nothing, so that no figure tells of it: that there are none does. */
  private watchSchedule({ name, node, handler }: NodeFunction, isFrequent: CfnCondition): void {
    const alarm = this.create(`${node.id}Stopped`, {
      name: `${name}_stopped`,
      what: `The function ${name} is not started any more, so that nothing is kept warm.`,
      section: 'stopped',
      metric: handler.metricInvocations({ period: PERIOD, statistic: Stats.SUM }),
      missing: TreatMissingData.BREACHING,
      isLow: true,
    });
    (alarm.node.defaultChild as CfnResource).cfnOptions.condition = isFrequent;
  }

  private create(id: string, { name, what, section, metric, missing, isLow = false }: Condition): Alarm {
    const alarm = new Alarm(this, id, {
      alarmName: `prewarm_${name}_${this.envName}`,
      alarmDescription: `${what} What to do: docs/runbook-keep-warm.md#${section}`,
      metric,
      threshold: isLow ? 1 : 0,
      comparisonOperator: isLow ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: isLow ? STOPPED_PERIODS : 1,
      treatMissingData: missing,
    });
    const action = new SnsAction(this.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    return alarm;
  }
}

interface KeepWarmDashboardProps {
  readonly envName: string;
  readonly sender: NodeFunction;
}

const MINUTE = Duration.minutes(1);
const HALF = 12;

/** What is kept warm, POP by POP, whichever there are. */
export class KeepWarmDashboard extends Construct {
  constructor(scope: Construct, id: string, { envName, sender }: KeepWarmDashboardProps) {
    super(scope, id);
    const ofPops = (metricName: KeepWarmMetricName, statistic: string) =>
      new MathExpression({
        expression: `SEARCH('{${[METRIC_NAMESPACE, ...KEEP_WARM_DIMENSIONS].join(',')}} MetricName="${metricName}" EnvName="${envName}"', '${statistic}', 60)`,
        usingMetrics: {},
        label: `\${PROP('Dim.Host')} \${PROP('Dim.Pop')}`,
        period: MINUTE,
      });
    const graph = (title: string, metricName: KeepWarmMetricName, statistic: string) =>
      new GraphWidget({ title, width: HALF, left: [ofPops(metricName, statistic)], leftYAxis: { min: 0 } });
    new Dashboard(this, 'Dashboard', {
      dashboardName: `prewarm_keep-warm_${envName}`,
      defaultInterval: Duration.hours(3),
      widgets: [
        [graph('First byte, median, ms', 'KeepWarmFirstByte', Stats.p(50)), graph('First byte, p95, ms', 'KeepWarmFirstByte', Stats.p(95))],
        [
          graph('Answers over a new connection to the origin, %', 'KeepWarmNewConnections', Stats.AVERAGE),
          graph('Connecting to the POP, p95, ms', 'KeepWarmConnect', Stats.p(95)),
        ],
        [graph('Requests', 'KeepWarmRequests', Stats.SUM), graph('Errors', 'KeepWarmErrors', Stats.SUM)],
        [
          graph('POPs that do not answer', 'KeepWarmSilent', Stats.MAXIMUM),
          new GraphWidget({
            title: 'Function: calls and errors (left), duration (right)',
            width: HALF,
            left: [sender.handler.metricInvocations({ period: MINUTE }), sender.handler.metricErrors({ period: MINUTE })],
            right: [sender.handler.metricDuration({ period: MINUTE, statistic: Stats.MAXIMUM })],
          }),
        ],
      ],
    });
  }
}
