import { inputFault } from '../core/input-fault.ts';
import { MAX_IN_FLIGHT } from '../core/work/lanes.ts';
import { file, group, optional, type Read, readVariables, type Settings, text, whole, yes } from '../deployment/read-variables.ts';

const MAX_LEASE_MS = 12 * 3_600_000;
const MAX_AGENTS = 1024;
/** Twice that bounds how long an agent works on for a request that has ended (the row it looks at may be one beat old): 5 s. */
const BEAT_MS = 2500;
const METADATA_ENDPOINT = 'http://169.254.169.254';

const SHARED = {
  leaseMs: whole('PREWARM_LEASE_MS', MAX_LEASE_MS, 120_000),
  /** PEM; null: the well-known roots. */
  ca: file('PREWARM_CA_FILE'),
  allowPrivateAddresses: yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
};

const EMBEDDED = {
  dataDir: text('PREWARM_DATA_DIR', 'name the data directory of the run'),
  /** Downloads in flight: exactly this many; null: the agent finds out. */
  concurrency: whole('PREWARM_CONCURRENCY', MAX_IN_FLIGHT, null),
  beatMs: whole('PREWARM_BEAT_MS', MAX_LEASE_MS, 1000),
  ...SHARED,
};

/** Base URL of the instance's metadata service. */
const metadataEndpoint: Read<string> = (env, faults) => {
  const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
  const endpoint = env[name] || METADATA_ENDPOINT;
  if (!endpoint.startsWith('http://') || !URL.canParse(endpoint)) faults.push(inputFault(name, endpoint, 'write a URL with http'));
  return endpoint;
};

const AWS = {
  region: text('AWS_REGION', 'name the region of the stack'),
  tables: group({ requests: text('PREWARM_REQUEST_TABLE'), pops: text('PREWARM_POP_TABLE'), tasks: text('PREWARM_TASK_TABLE') }),
  bucket: text('PREWARM_BUCKET'),
  queueUrl: text('PREWARM_TASK_QUEUE_URL'),
  /** The Auto Scaling group whose instance this is. */
  groupName: text('PREWARM_GROUP_NAME'),
  /** While there is work, never fewer downloads than this are in flight. */
  floor: whole('PREWARM_THREAD_NUMBER', MAX_IN_FLIGHT, 6),
  /** Null: it follows from the lease. */
  beatMs: whole('PREWARM_BEAT_MS', MAX_LEASE_MS, null),
  /** An agent that has had no task for so long counts as idle, and its instance may be taken. */
  idleMs: whole('PREWARM_IDLE_MS', MAX_LEASE_MS, 30_000),
  /** Where the agents of one instance mark that they are busy; null: this is its only one. */
  busyDir: optional('PREWARM_BUSY_DIR'),
  /** 1 to n, the same after a restart. */
  agentNumber: whole('PREWARM_AGENT_NUMBER', MAX_AGENTS, 1),
  metadataEndpoint,
  ...SHARED,
};

export type EmbeddedAgentConfig = Settings<typeof EMBEDDED>;
export type AwsAgentConfig = Settings<typeof AWS> & { readonly beatMs: number };

/** Reads the configuration of an agent on one machine, once. Throws InvalidInput with every fault. */
export function loadEmbeddedAgentConfig(env: NodeJS.ProcessEnv): EmbeddedAgentConfig {
  return readVariables(env, EMBEDDED);
}

/** Reads the configuration of an agent on an EC2 instance, once. Throws InvalidInput with every fault. */
export function loadAwsAgentConfig(env: NodeJS.ProcessEnv): AwsAgentConfig {
  const config = readVariables(env, AWS);
  return { ...config, beatMs: config.beatMs ?? Math.min(BEAT_MS, Math.ceil(config.leaseMs / 4)) };
}
