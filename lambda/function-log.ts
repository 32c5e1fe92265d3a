import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import type { Log } from '../core/ports/log.ts';

/** A function's log. Each line has the invocation's id in it. */
export interface FunctionLog extends Log {
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
