import { Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { KEEP_WARM_DIMENSIONS, type KeepWarmMetricName, METRIC_NAMESPACE } from '../../deployment/metrics.ts';
import type { NodeFunction } from '../shared/node-function.ts';

export interface KeepWarmDashboardProps {
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
