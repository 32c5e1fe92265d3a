import { CfnCondition, type CfnResource, Duration, Fn } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { type KeepWarmDimensions, type KeepWarmMetricName, METRIC_NAMESPACE } from '../../deployment/metrics.ts';
import { createAlarmTopic } from '../shared/alarm-topic.ts';
import type { KeepWarmLane } from './keep-warm-lanes.ts';
import type { NodeFunction } from '../shared/node-function.ts';

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
