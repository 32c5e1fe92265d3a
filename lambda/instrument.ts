import type { Context } from 'aws-lambda';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Log } from '../core/ports/log.ts';
import { METRIC_NAMESPACE, type MetricName } from '../deployment/names.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';

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

function createFunctionMetrics({ envName }: { readonly envName: string }): FunctionMetrics {
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

/** A function's log. Each line has the invocation's id in it. */
interface FunctionLog extends Log {
  /** The lines that follow are of this invocation. */
  begin(context: Context): void;
}

/** Structured log of a function. `service` is the function's name. */
export function createFunctionLog(service: string): FunctionLog {
  const logger = new Logger({ serviceName: service });
  return {
    debug: (fields, message) => logger.debug(message, fields),
    info: (fields, message) => logger.info(message, fields),
    warn: (fields, message) => logger.warn(message, fields),
    error: (fields, message) => logger.error(message, fields),
    begin: (context) => logger.addContext(context),
  };
}

/** The log and the figures that every function has. */
export interface Instruments {
  readonly log: FunctionLog;
  readonly metrics: FunctionMetrics;
}

export function createInstruments(service: string, config: { readonly envName: string }): Instruments {
  return { log: createFunctionLog(service), metrics: createFunctionMetrics(config) };
}

/** A handler whose log lines name the invocation, whose failure is logged with its cause, and whose figures are written in any case. */
export function instrument<Event, Result>(
  { log, metrics }: Instruments,
  work: (event: Event, context: Context) => Promise<Result>,
): (event: Event, context: Context) => Promise<Result> {
  return async (event, context) => {
    log.begin(context);
    try {
      return await work(event, context);
    } catch (error) {
      log.error({ err: error }, 'the invocation failed');
      throw error;
    } finally {
      metrics.publish();
    }
  };
}

export type TimeLeft = Pick<Context, 'getRemainingTimeInMillis'>;

/** What an invocation has left of its time. */
export interface TimeBudget {
  /** Too little for one more share of work. */
  isShort(): boolean;
  /** What was under way has been broken off: nothing it answered means that there is nothing left to do. */
  isHalted(): boolean;
  close(): void;
}

/** The longest share (a minute of sizing), and time to hand the rest on. */
const SHARE_MS = 90_000;
const HALT_MS = 10_000;

/** Breaks off the pipeline shortly before the invocation would be: what was decided so far is kept, and the rest is handed on. */
export function openTimeBudget(context: TimeLeft, pipeline: Pick<Pipeline, 'halt'>): TimeBudget {
  let halted = false;
  const timer = setTimeout(
    () => {
      halted = true;
      pipeline.halt();
    },
    Math.max(0, context.getRemainingTimeInMillis() - HALT_MS),
  );
  return {
    isShort: () => context.getRemainingTimeInMillis() < SHARE_MS,
    isHalted: () => halted,
    close: () => clearTimeout(timer),
  };
}
