import { MetricUnit, Metrics } from '@aws-lambda-powertools/metrics';
import { isDeadAfterRun, type LaneFigures } from '../../core/keep-warm/tally.ts';
import type { Times } from '../../core/keep-warm/times.ts';
import { type KeepWarmDimensions, type KeepWarmMetricName, METRIC_NAMESPACE } from '../../deployment/metrics.ts';

/** Figures of a run, per host and POP, written to the log (EMF). */
export type PublishLane = (figures: LaneFigures) => void;

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What CloudWatch keeps of a lane; `Silent` is 1 for a run in which the POP did not answer or nothing was sent through it, else 0. */
export function createKeepWarmMetrics({ envName }: { readonly envName: string }): PublishLane {
  const metrics = new Metrics({ namespace: METRIC_NAMESPACE });
  const add = (name: KeepWarmMetricName, unit: (typeof MetricUnit)[keyof typeof MetricUnit], value: number) =>
    metrics.addMetric(name, unit, value);
  const addTimes = (name: KeepWarmMetricName, times: Times) => {
    for (const ms of times.latest) add(name, MetricUnit.Milliseconds, ms);
  };
  return (figures) => {
    metrics.clearDefaultDimensions();
    const dimensions: KeepWarmDimensions = { EnvName: envName, Host: new URL(figures.lane.route.url).hostname, Pop: figures.lane.pop };
    metrics.setDefaultDimensions(dimensions);
    add('KeepWarmRequests', MetricUnit.Count, figures.requests);
    add('KeepWarmErrors', MetricUnit.Count, total(figures.errors));
    add('KeepWarmSilent', MetricUnit.Count, isDeadAfterRun(figures) ? 1 : 0);
    if (figures.judged > 0) add('KeepWarmNewConnections', MetricUnit.Percent, (100 * figures.newConnections) / figures.judged);
    addTimes('KeepWarmConnect', figures.connectTimes);
    addTimes('KeepWarmFirstByte', figures.firstByteTimes);
    metrics.publishStoredMetrics();
  };
}
