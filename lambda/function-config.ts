import { parseAllowedDomains } from '../core/request/allowed-domains.ts';
import { DEFAULT_MAX_INVALIDATION_PATHS, MOST_INVALIDATION_PATHS } from '../core/request/invalidation-path.ts';
import { settingsFrom, variableOf } from '../deployment/keep-warm-settings.ts';
import { file, group, minutes, optional, type Read, readVariables, type Settings, text, whole, yes } from '../deployment/read-variables.ts';

const MAX_PORT = 65_535;
const MAX_INSTANCES = 100_000;
/** URLs times POPs of one request. */
const DEFAULT_MAX_TARGETS = 100_000_000;
const MOST_TARGETS = 999_999_999;

const allowedDomains: Read<readonly string[]> = (env, faults) => {
  const name = 'PREWARM_ALLOWED_DOMAINS';
  return parseAllowedDomains((env[name] ?? '').split(','), name, faults);
};

/** Where the edge is and whom to trust there. Templates set none of it: the defaults are CloudFront itself. */
const EDGE = {
  /** `ip:port`; null: the system's resolver. */
  dnsServer: optional('PREWARM_DNS_SERVER'),
  edgePort: whole('PREWARM_EDGE_PORT', MAX_PORT, 443),
  edgeHttpPort: whole('PREWARM_EDGE_HTTP_PORT', MAX_PORT, 80),
  /** Text of an edge map, which stands in for DNS; null: DNS. */
  edgeMap: file('PREWARM_EDGE_MAP'),
  /** PEM of the roots to trust instead of the well-known ones; null: those. */
  ca: file('PREWARM_CA_FILE'),
  allowPrivateAddresses: yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
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
  /** The region that Lambda says the function runs in. */
  region: text('AWS_REGION', 'name the region of the stack'),
  eventBus: text('PREWARM_EVENT_BUS'),
  topicArn: text('PREWARM_TOPIC_ARN'),
  showSuccessUrls: yes('PREWARM_SHOW_SUCCESS_URLS'),
  allowedDomains,
  maxTargets: whole('PREWARM_MAX_TARGETS', MOST_TARGETS, DEFAULT_MAX_TARGETS),
  maxInvalidationPaths: whole('PREWARM_MAX_INVALIDATION_PATHS', MOST_INVALIDATION_PATHS, DEFAULT_MAX_INVALIDATION_PATHS),
  edge: group(EDGE),
  keepWarmTable: text('PREWARM_KEEP_WARM_TABLE'),
  keepWarm: (env: NodeJS.ProcessEnv) => settingsFrom((setting) => env[variableOf(setting)]),
} as const;

type SettingName = keyof typeof SETTINGS;

/** The settings of a function, or of what a function is made of, by their names. */
export type FunctionConfig<Name extends SettingName> = Pick<Settings<typeof SETTINGS>, Name>;
export type EdgeSettings = FunctionConfig<'edge'>['edge'];

/** The settings of every function that may end a request. */
export const ENDING = ['tables', 'group', 'timers', 'eventBus'] as const;

/** Reads the settings that a function needs, and its environment's name. Throws InvalidInput with every fault. */
export function loadFunctionConfig<Name extends SettingName>(
  env: NodeJS.ProcessEnv,
  wanted: readonly Name[],
): FunctionConfig<Name | 'envName'> {
  const names = new Set<SettingName>(['envName', ...wanted]);
  const shape = Object.fromEntries([...names].map((name) => [name, SETTINGS[name]]));
  return readVariables(env, shape) as FunctionConfig<Name | 'envName'>;
}
