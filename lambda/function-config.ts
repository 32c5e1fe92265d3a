import { readFileSync } from 'node:fs';
import { parseAllowedDomains } from '../core/request/allowed-domains.ts';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { EdgeVariable, FunctionVariable } from '../deployment/variables.ts';
import { DEFAULT_MAX_INVALIDATION_PATHS, MOST_INVALIDATION_PATHS } from '../core/request/invalidation-path.ts';

/** Where the edge is and whom to trust there. Templates set none of it: the defaults are CloudFront itself. */
export interface EdgeSettings {
  /** `ip:port`; null: the system's resolver. */
  readonly dnsServer: string | null;
  readonly edgePort: number;
  readonly edgeHttpPort: number;
  /** Text of an edge map, which stands in for DNS; null: DNS. */
  readonly edgeMap: string | null;
  /** PEM of the roots to trust instead of the well-known ones; null: those. */
  readonly ca: string | null;
  readonly allowPrivateAddresses: boolean;
}

type Variable = FunctionVariable | EdgeVariable;
type Read<T> = (env: NodeJS.ProcessEnv, faults: InputFault[]) => T;

const REMEDY = 'is missing; take it from the stack';
const MAX_PORT = 65_535;
const MAX_INSTANCES = 100_000;
/** URLs times POPs of one request. */
const DEFAULT_MAX_TARGETS = 100_000_000;
const MOST_TARGETS = 999_999_999;

const text =
  (name: Variable): Read<string> =>
  (env, faults) => {
    const value = env[name] ?? '';
    if (value === '') faults.push(inputFault(name, '', REMEDY));
    return value;
  };

const optional =
  (name: Variable): Read<string | null> =>
  (env) =>
    env[name] || null;

const whole =
  (name: Variable, most: number, otherwise?: number): Read<number> =>
  (env, faults) => {
    const value = env[name] ?? '';
    if (value === '' && otherwise !== undefined) return otherwise;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
    if (number < 1 || number > most) faults.push(inputFault(name, value, `write a whole number from 1 to ${most}`));
    return number;
  };

/** 0, which is what a missing one is, stands for never. */
const minutes =
  (name: Variable): Read<number> =>
  (env, faults) => {
    const value = env[name] || '0';
    if (!/^\d{1,4}$/.test(value)) faults.push(inputFault(name, value, 'write a whole number of minutes, or 0 for never'));
    return Number(value);
  };

const yes =
  (name: Variable): Read<boolean> =>
  (env, faults) => {
    const value = env[name] || 'false';
    if (value !== 'true' && value !== 'false') faults.push(inputFault(name, value, 'write true or false'));
    return value === 'true';
  };

const file =
  (name: Variable): Read<string | null> =>
  (env, faults) => {
    const path = env[name] ?? '';
    if (path === '') return null;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      faults.push(inputFault(name, path, `cannot be read (${(error as NodeJS.ErrnoException).code}); name a file that is there`));
      return null;
    }
  };

const domains =
  (name: Variable): Read<readonly string[]> =>
  (env, faults) =>
    parseAllowedDomains((env[name] ?? '').split(','), name, faults);

/** Several variables as one setting. */
const group =
  <Shape extends Readonly<Record<string, Read<unknown>>>>(
    shape: Shape,
  ): Read<{ readonly [Name in keyof Shape]: Shape[Name] extends Read<infer T> ? T : never }> =>
  (env, faults) =>
    Object.fromEntries(Object.entries(shape).map(([name, read]) => [name, read(env, faults)])) as {
      readonly [Name in keyof Shape]: Shape[Name] extends Read<infer T> ? T : never;
    };

const SETTINGS = {
  envName: text('PREWARM_ENV_NAME'),
  tables: group({ requests: text('PREWARM_REQUEST_TABLE'), pops: text('PREWARM_POP_TABLE'), tasks: text('PREWARM_TASK_TABLE') }),
  bucket: text('PREWARM_BUCKET'),
  taskQueueUrl: text('PREWARM_TASK_QUEUE_URL'),
  sizeQueueUrl: text('PREWARM_SIZE_QUEUE_URL'),
  planQueueUrl: text('PREWARM_PLAN_QUEUE_URL'),
  group: group({
    groupName: text('PREWARM_GROUP_NAME'),
    maximum: whole('PREWARM_MAX_INSTANCES', MAX_INSTANCES),
    onDemandGroupName: optional('PREWARM_ON_DEMAND_GROUP_NAME'),
    onDemandFallback: minutes('PREWARM_ON_DEMAND_FALLBACK'),
  }),
  timers: group({
    group: text('PREWARM_SCHEDULE_GROUP'),
    targetArn: text('PREWARM_SHUTDOWN_FUNCTION_ARN'),
    roleArn: text('PREWARM_SCHEDULE_ROLE_ARN'),
  }),
  eventBus: text('PREWARM_EVENT_BUS'),
  topicArn: text('PREWARM_TOPIC_ARN'),
  showSuccessUrls: yes('PREWARM_SHOW_SUCCESS_URLS'),
  allowedDomains: domains('PREWARM_ALLOWED_DOMAINS'),
  maxTargets: whole('PREWARM_MAX_TARGETS', MOST_TARGETS, DEFAULT_MAX_TARGETS),
  maxInvalidationPaths: whole('PREWARM_MAX_INVALIDATION_PATHS', MOST_INVALIDATION_PATHS, DEFAULT_MAX_INVALIDATION_PATHS),
  edge: group({
    dnsServer: optional('PREWARM_DNS_SERVER'),
    edgePort: whole('PREWARM_EDGE_PORT', MAX_PORT, 443),
    edgeHttpPort: whole('PREWARM_EDGE_HTTP_PORT', MAX_PORT, 80),
    edgeMap: file('PREWARM_EDGE_MAP'),
    ca: file('PREWARM_CA_FILE'),
    allowPrivateAddresses: yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
  }),
} as const;

type SettingName = keyof typeof SETTINGS;
type Settings = { readonly [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]> };

/** The settings of a function, or of what a function is made of, by their names. */
export type FunctionConfig<Name extends SettingName> = Pick<Settings, Name>;

/** What whoever may end a request has to know. */
export const ENDING = ['tables', 'group', 'timers', 'eventBus'] as const;

/** Reads the variables of the settings a function needs, once, and the files they name. Throws InvalidInput with every fault. */
export function loadFunctionConfig<Name extends SettingName>(
  env: NodeJS.ProcessEnv,
  wanted: readonly Name[],
): FunctionConfig<Name | 'envName'> {
  const faults: InputFault[] = [];
  const names = new Set<SettingName>(['envName', ...wanted]);
  const config = Object.fromEntries([...names].map((name) => [name, SETTINGS[name](env, faults)]));
  if (faults.length > 0) throw new InvalidInput(faults);
  return config as unknown as FunctionConfig<Name | 'envName'>;
}
