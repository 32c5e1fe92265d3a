import { type CfnResource, Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { createAlarmTopic } from './alarm-topic.ts';
import type { KeepWarmLane } from './keep-warm-lanes.ts';
import type { NodeFunction } from './node-function.ts';

export interface KeepWarmAlarmsProps {
  readonly envName: string;
  readonly lanes: readonly KeepWarmLane[];
  readonly functions: readonly NodeFunction[];
}

interface Condition {
  readonly name: string;
  readonly what: string;
  readonly section: string;
  readonly metric: IMetric;
  /** Runs may be farther apart than a period. */
  readonly missing: TreatMissingData;
}

const PERIOD = Duration.minutes(5);

/** One alarm for every POP, which names it, and one for failures of the function. All tell one topic. */
export class KeepWarmAlarms extends Construct {
  readonly topic: Topic;

  private readonly envName: string;

  constructor(scope: Construct, id: string, { envName, lanes, functions }: KeepWarmAlarmsProps) {
    super(scope, id);
    this.envName = envName;
    this.topic = createAlarmTopic(this, 'Topic', `prewarm_keep-warm_alarms_${envName}`);
    for (const lane of lanes) this.watchPop(lane);
    for (const watched of functions) this.watchFunction(watched);
  }

  private watchPop({ id, host, pop, condition }: KeepWarmLane): void {
    const alarm = this.create(id, {
      name: `keep-warm_${host}_${pop}`,
      what: `The POP ${pop} has stopped answering for ${host}, so nothing is kept warm there.`,
      section: 'pop-silent',
      metric: new Metric({
        namespace: 'CloudFrontPrewarm',
        metricName: 'KeepWarmSilent',
        dimensionsMap: { EnvName: this.envName, Host: host, Pop: pop },
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

  private create(id: string, { name, what, section, metric, missing }: Condition): Alarm {
    const alarm = new Alarm(this, id, {
      alarmName: `prewarm_${name}_${this.envName}`,
      alarmDescription: `${what} What to do: docs/runbook-keep-warm.md#${section}`,
      metric,
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: missing,
    });
    const action = new SnsAction(this.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    return alarm;
  }
}
