import type { FunctionVariable } from '../../deployment/variables.ts';
import type { SystemResources } from './permissions.ts';
import type { StackParameters } from './stack-parameters.ts';

/** Every function has the environment's name; of the others each has those that it asks for. */
export type Variable = Exclude<FunctionVariable, 'PREWARM_ENV_NAME'>;

export interface EnvironmentSource {
  readonly resources: SystemResources;
  readonly parameters: StackParameters;
}

/** The wanted ones, and the environment's name, which every function puts beside its metrics. */
export function createEnvironment(
  { resources, parameters }: EnvironmentSource,
  wanted: readonly Variable[],
): Readonly<Record<string, string>> {
  const { tables, queues, schedules, notifications } = resources;
  const values: Readonly<Record<Variable, string>> = {
    PREWARM_REQUEST_TABLE: tables.requests.tableName,
    PREWARM_POP_TABLE: tables.pops.tableName,
    PREWARM_TASK_TABLE: tables.tasks.tableName,
    PREWARM_BUCKET: resources.bucket.bucketName,
    PREWARM_TASK_QUEUE_URL: queues.tasks.queueUrl,
    PREWARM_SIZE_QUEUE_URL: queues.sizes.queueUrl,
    PREWARM_PLAN_QUEUE_URL: queues.plans.queueUrl,
    PREWARM_GROUP_NAME: resources.groupName,
    PREWARM_ON_DEMAND_GROUP_NAME: resources.onDemandGroupName,
    PREWARM_ON_DEMAND_FALLBACK: parameters.onDemandFallback,
    PREWARM_MAX_INSTANCES: parameters.maxInstances,
    PREWARM_SCHEDULE_GROUP: schedules.groupName,
    PREWARM_SHUTDOWN_FUNCTION_ARN: schedules.shutdownFunctionArn,
    PREWARM_SCHEDULE_ROLE_ARN: schedules.role.roleArn,
    PREWARM_EVENT_BUS: notifications.bus.eventBusName,
    PREWARM_TOPIC_ARN: notifications.requests.topicArn,
    PREWARM_SHOW_SUCCESS_URLS: parameters.showSuccessUrls,
    PREWARM_ALLOWED_DOMAINS: parameters.allowedDomains,
    PREWARM_MAX_TARGETS: parameters.maxTargets,
    PREWARM_MAX_INVALIDATION_PATHS: parameters.maxInvalidationPaths,
  };
  return { PREWARM_ENV_NAME: resources.envName, ...Object.fromEntries(wanted.map((name) => [name, values[name]])) };
}
