import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';

type Fields = Readonly<Record<string, unknown>>;

/** One line each, with the invocation's id in it. Never a key, a header's value or a body. */
export interface FunctionLog {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  /** Lines tell of this invocation from now on. */
  begin(context: Context): void;
}

/** Structured log of a function. `service` is the function's name. */
export function createFunctionLog(service: string): FunctionLog {
  const logger = new Logger({ serviceName: service });
  return {
    debug: (fields, message) => logger.debug(message, fields),
    info: (fields, message) => logger.info(message, fields),
    error: (fields, message) => logger.error(message, fields),
    begin: (context) => logger.addContext(context),
  };
}
