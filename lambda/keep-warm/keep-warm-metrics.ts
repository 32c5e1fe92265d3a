import { MetricUnit, Metrics } from '@aws-lambda-powertools/metrics';
import { isDeadAfterRun, type LaneFigures } from '../../core/keep-warm/tally.ts';
import type { Times } from '../../core/keep-warm/times.ts';

const NAMESPACE = 'CloudFrontPrewarm';

/** Figures of a run, per host and POP, written to the log (EMF). */
export type PublishLane = (figures: LaneFigures) => void;

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What CloudWatch keeps of a lane; `Silent` is 1 for a run in which the POP did not answer or nothing was sent through it, else 0. */
export function createKeepWarmMetrics({ envName }: { readonly envName: string }): PublishLane {
  const metrics = new Metrics({ namespace: NAMESPACE });
  const addTimes = (name: string, times: Times) => {
    for (const ms of times.latest) metrics.addMetric(name, MetricUnit.Milliseconds, ms);
  };
  return (figures) => {
    metrics.clearDefaultDimensions();
    metrics.setDefaultDimensions({ EnvName: envName, Host: new URL(figures.lane.route.url).hostname, Pop: figures.lane.pop });
    metrics.addMetric('KeepWarmRequests', MetricUnit.Count, figures.requests);
    metrics.addMetric('KeepWarmErrors', MetricUnit.Count, total(figures.errors));
    metrics.addMetric('KeepWarmSilent', MetricUnit.Count, isDeadAfterRun(figures) ? 1 : 0);
    if (figures.judged > 0)
      metrics.addMetric('KeepWarmNewConnections', MetricUnit.Percent, (100 * figures.newConnections) / figures.judged);
    addTimes('KeepWarmConnect', figures.connectTimes);
    addTimes('KeepWarmFirstByte', figures.firstByteTimes);
    metrics.publishStoredMetrics();
  };
}
