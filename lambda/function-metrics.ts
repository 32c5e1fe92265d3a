import { MetricUnit, Metrics } from '@aws-lambda-powertools/metrics';
import { METRIC_NAMESPACE, type MetricName } from '../deployment/metrics.ts';

/** Figures of the environment for alarms and dashboards, written to the log (EMF). */
export interface FunctionMetrics {
  add(name: MetricName, value: number): void;
  /** Beside the environment's figure, one by status. */
  addByStatus(name: MetricName, status: string, value: number): void;
  /** Writes what was added. */
  publish(): void;
}

/** Under the environment's name alone: Powertools would put every figure under the function's name too. */
function createMetrics(envName: string): Metrics {
  const metrics = new Metrics({ namespace: METRIC_NAMESPACE });
  metrics.clearDefaultDimensions();
  metrics.setDefaultDimensions({ EnvName: envName });
  return metrics;
}

const unitOf = (name: MetricName) => (name === 'EdgeBytes' ? MetricUnit.Bytes : MetricUnit.Count);

export function createFunctionMetrics({ envName }: { readonly envName: string }): FunctionMetrics {
  const metrics = createMetrics(envName);
  const byStatus = createMetrics(envName);
  return {
    add(name, value) {
      metrics.addMetric(name, unitOf(name), value);
    },
    addByStatus(name, status, value) {
      metrics.addMetric(name, unitOf(name), value);
      byStatus.addDimension('Status', status);
      byStatus.addMetric(name, unitOf(name), value);
      byStatus.publishStoredMetrics();
    },
    publish() {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}
