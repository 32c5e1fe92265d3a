import type { Node } from 'constructs';
import { InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';

export interface DeployContext {
  /** `prod`, or what `-c env=` says. */
  readonly defaultEnvName: string;
  /** `-c retainData=true`: what a stack's removal leaves behind are its tables and its bucket. */
  readonly retainData: boolean;
  /** `PrewarmStack`, or `PrewarmStack-staging` with `-c env=staging`. */
  readonly nameStack: (name: string) => string;
}

const DEFAULT_ENV = 'prod';

/** Reads the context that a deploy may be given. Throws InvalidInput, which says what to pass instead. */
export function readDeployContext(node: Node): DeployContext {
  const env: unknown = node.tryGetContext('env') ?? DEFAULT_ENV;
  if (typeof env !== 'string' || !/^[A-Za-z0-9-]{1,20}$/.test(env)) {
    throw new InvalidInput([inputFault('context env', env, 'pass 1 to 20 letters, digits and hyphens, such as -c env=staging')]);
  }
  const retain: unknown = node.tryGetContext('retainData') ?? false;
  if (![true, false, 'true', 'false'].includes(retain as string | boolean)) {
    throw new InvalidInput([inputFault('context retainData', retain, 'pass -c retainData=true, or nothing')]);
  }
  return {
    defaultEnvName: env,
    retainData: String(retain) === 'true',
    nameStack: (name) => (env === DEFAULT_ENV ? name : `${name}-${env}`),
  };
}
