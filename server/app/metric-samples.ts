import { Counter, Gauge, type Registry } from 'prom-client';

/** The labels and the value of each sample. */
export type Samples = Iterable<readonly [labels: Readonly<Record<string, string | number>>, value: number]>;

interface MetricHead {
  readonly name: string;
  readonly help: string;
  /** Names of the labels that its samples may have. */
  readonly labels?: readonly string[];
}

/** Adds a counter with its values as they are now to a page, which is rendered once. Samples of the same labels are summed. */
export function addCounter(page: Registry, { name, help, labels = [] }: MetricHead, samples: Samples): void {
  const counter = new Counter({ name, help, labelNames: labels, registers: [page] });
  for (const [labelled, value] of samples) counter.inc(labelled, value);
}

/** Adds a gauge with its values as they are now to a page, which is rendered once. */
export function addGauge(page: Registry, { name, help, labels = [] }: MetricHead, samples: Samples): void {
  const gauge = new Gauge({ name, help, labelNames: labels, registers: [page] });
  for (const [labelled, value] of samples) gauge.set(labelled, value);
}
