import type { Context } from 'aws-lambda';
import { createFunctionLog, type FunctionLog } from './function-log.ts';
import { createFunctionMetrics, type FunctionMetrics } from './function-metrics.ts';

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
