import { readFileSync } from 'node:fs';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { readWholeNumber } from '../core/whole-number.ts';

// Environment variables by which a stack configures what it runs. A name that the stack or the program alone knows does not compile.

/** The variables that the stack sets for its functions. */
export type FunctionVariable =
  | 'PREWARM_ENV_NAME'
  | 'PREWARM_REQUEST_TABLE'
  | 'PREWARM_POP_TABLE'
  | 'PREWARM_TASK_TABLE'
  | 'PREWARM_BUCKET'
  | 'PREWARM_TASK_QUEUE_URL'
  | 'PREWARM_SIZE_QUEUE_URL'
  | 'PREWARM_PLAN_QUEUE_URL'
  | 'PREWARM_GROUP_NAME'
  | 'PREWARM_ON_DEMAND_GROUP_NAME'
  | 'PREWARM_ON_DEMAND_FALLBACK'
  | 'PREWARM_MAX_INSTANCES'
  | 'PREWARM_SCHEDULE_GROUP'
  | 'PREWARM_SHUTDOWN_FUNCTION_ARN'
  | 'PREWARM_SCHEDULE_ROLE_ARN'
  | 'PREWARM_EVENT_BUS'
  | 'PREWARM_TOPIC_ARN'
  | 'PREWARM_SHOW_SUCCESS_URLS'
  | 'PREWARM_ALLOWED_DOMAINS'
  | 'PREWARM_MAX_TARGETS'
  | 'PREWARM_MAX_INVALIDATION_PATHS';

/** The variables that the keep-warm stack sets for its function, beside those of `KeepWarmSettings`. */
type KeepWarmVariable = 'PREWARM_KEEP_WARM_TABLE';

/** Where the edge is and whom to trust there. Only tests and drills set these: no template does. */
type EdgeVariable =
  | 'PREWARM_DNS_SERVER'
  | 'PREWARM_EDGE_PORT'
  | 'PREWARM_EDGE_HTTP_PORT'
  | 'PREWARM_EDGE_MAP'
  | 'PREWARM_CA_FILE'
  | 'PREWARM_ALLOW_PRIVATE_ADDRESSES';

/** The variables of an agent, beside the names of tables, queues and groups that it shares with functions. */
type AgentVariable =
  | EdgeVariable
  | 'AWS_REGION'
  | 'AWS_EC2_METADATA_SERVICE_ENDPOINT'
  | 'PREWARM_REQUEST_TABLE'
  | 'PREWARM_POP_TABLE'
  | 'PREWARM_TASK_TABLE'
  | 'PREWARM_BUCKET'
  | 'PREWARM_TASK_QUEUE_URL'
  | 'PREWARM_GROUP_NAME'
  | 'PREWARM_THREAD_NUMBER'
  | 'PREWARM_LEASE_MS'
  | 'PREWARM_BEAT_MS'
  | 'PREWARM_IDLE_MS'
  | 'PREWARM_BUSY_DIR'
  | 'PREWARM_AGENT_NUMBER'
  | 'PREWARM_DATA_DIR'
  | 'PREWARM_CONCURRENCY';

type Variable = FunctionVariable | EdgeVariable | AgentVariable | KeepWarmVariable;
type Environment = Readonly<Record<string, string | undefined>>;

/** Reads one setting. It adds what is wrong to the faults and returns a stand-in value. An empty variable counts as missing. */
export type Read<T> = (env: Environment, faults: InputFault[]) => T;
type Shape = Readonly<Record<string, Read<unknown>>>;
/** The settings that a shape describes. */
export type Settings<S extends Shape> = { readonly [Name in keyof S]: S[Name] extends Read<infer T> ? T : never };

export function text(name: Variable, remedy = 'take it from the stack'): Read<string> {
  return (env, faults) => {
    const value = env[name] || '';
    if (value === '') faults.push(inputFault(name, '', `is missing; ${remedy}`));
    return value;
  };
}

export function optional(name: Variable): Read<string | null> {
  return (env) => env[name] || null;
}

/** A number from 1 to `most`. Without `otherwise` it must be there. */
export function whole(name: Variable, most: number, otherwise?: number): Read<number>;
export function whole(name: Variable, most: number, otherwise: number | null): Read<number | null>;
export function whole(name: Variable, most: number, otherwise?: number | null): Read<number | null> {
  return (env, faults) => {
    const value = env[name] || '';
    if (value === '' && otherwise !== undefined) return otherwise;
    const number = readWholeNumber(value, 1, most);
    if (number === null) faults.push(inputFault(name, value, `write a whole number from 1 to ${most}`));
    return number ?? 0;
  };
}

const MOST_MINUTES = 9999;

/** A number of minutes. 0 stands for never, and is what a missing one is. */
export function minutes(name: Variable): Read<number> {
  return (env, faults) => {
    const value = env[name] || '0';
    const number = readWholeNumber(value, 0, MOST_MINUTES);
    if (number === null) faults.push(inputFault(name, value, 'write a whole number of minutes, or 0 for never'));
    return number ?? 0;
  };
}

/** `true` or `false`; a missing one is false. */
export function yes(name: Variable): Read<boolean> {
  return (env, faults) => {
    const value = env[name] || 'false';
    if (value !== 'true' && value !== 'false') faults.push(inputFault(name, value, 'write true or false'));
    return value === 'true';
  };
}

/** The text of the file that the variable names; null: it names none. */
export function file(name: Variable): Read<string | null> {
  return (env, faults) => {
    const path = env[name] || '';
    if (path === '') return null;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      faults.push(inputFault(name, path, `cannot be read (${(error as NodeJS.ErrnoException).code}); name a file that is there`));
      return null;
    }
  };
}

/** Reads several variables as one setting. */
export function group<S extends Shape>(shape: S): Read<Settings<S>> {
  return (env, faults) => Object.fromEntries(Object.entries(shape).map(([name, read]) => [name, read(env, faults)])) as Settings<S>;
}

/**
 * Reads the settings of a function or an agent from its environment, once. Throws InvalidInput with every fault. This is no schema of zod,
 * which stands at the other edges: zod takes 18 MB of the 150 that an agent may have (measured), and time of every cold start.
 */
export function readVariables<S extends Shape>(env: Environment, shape: S): Settings<S> {
  const faults: InputFault[] = [];
  const settings = group(shape)(env, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return settings;
}
