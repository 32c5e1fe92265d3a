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
export type KeepWarmVariable = 'PREWARM_KEEP_WARM_TABLE';

/** Where the edge is and whom to trust there. Only tests and drills set these: no template does. */
export type EdgeVariable =
  | 'PREWARM_DNS_SERVER'
  | 'PREWARM_EDGE_PORT'
  | 'PREWARM_EDGE_HTTP_PORT'
  | 'PREWARM_EDGE_MAP'
  | 'PREWARM_CA_FILE'
  | 'PREWARM_ALLOW_PRIVATE_ADDRESSES';

/** The variables of an agent, beside the names of tables, queues and groups that it shares with functions. */
export type AgentVariable =
  | EdgeVariable
  | 'AWS_REGION'
  | 'AWS_EC2_METADATA_SERVICE_ENDPOINT'
  | 'PREWARM_REQUEST_TABLE'
  | 'PREWARM_POP_TABLE'
  | 'PREWARM_TASK_TABLE'
  | 'PREWARM_BUCKET'
  | 'PREWARM_TASK_QUEUE_URL'
  | 'PREWARM_DEAD_LETTER_QUEUE_URL'
  | 'PREWARM_GROUP_NAME'
  | 'PREWARM_THREAD_NUMBER'
  | 'PREWARM_LEASE_MS'
  | 'PREWARM_BEAT_MS'
  | 'PREWARM_IDLE_MS'
  | 'PREWARM_BUSY_DIR'
  | 'PREWARM_AGENT_NUMBER'
  | 'PREWARM_DATA_DIR'
  | 'PREWARM_CONCURRENCY';
