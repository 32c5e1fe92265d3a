import { readFileSync } from 'node:fs';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { AgentVariable } from '../deployment/variables.ts';
import { MAX_IN_FLIGHT } from '../core/work/lanes.ts';
import { createVariableReader } from './variable-reader.ts';

export interface AwsAgentConfig {
  readonly region: string;
  readonly tables: { readonly requests: string; readonly pops: string; readonly tasks: string };
  readonly bucket: string;
  readonly queueUrl: string;
  readonly deadLetterUrl: string | null;
  /** The Auto Scaling group whose instance this is. */
  readonly groupName: string;
  /** Never fewer downloads in flight than that while there is work. */
  readonly floor: number;
  readonly leaseMs: number;
  readonly beatMs: number;
  /** So long without a task an agent counts as idle, and its instance may be taken. */
  readonly idleMs: number;
  /** Where the agents of one instance tell each other that they are busy; null: this is its only one. */
  readonly busyDir: string | null;
  /** 1 to n, the same after a restart. */
  readonly agentNumber: number;
  /** Base URL of the instance's metadata service. */
  readonly metadataEndpoint: string;
  /** PEM; null: the well-known roots. */
  readonly ca: string | null;
  readonly allowPrivateAddresses: boolean;
}

const MAX_LEASE_MS = 12 * 3_600_000;
const MAX_AGENTS = 1024;
/** Twice that bounds how long an agent works on for a request that has ended (the row it looks at may be one beat old): 5 s. */
const BEAT_MS = 2500;
const METADATA_ENDPOINT = 'http://169.254.169.254';

/** Reads an agent's whole configuration, once. Throws InvalidInput with every fault. */
export function loadAwsAgentConfig(env: NodeJS.ProcessEnv): AwsAgentConfig {
  const faults: InputFault[] = [];
  const read = createVariableReader(env, faults);
  const deployed = (name: AgentVariable) => read.needed(name, 'take it from the stack');
  const caFile = read.text('PREWARM_CA_FILE');
  const leaseMs = read.whole('PREWARM_LEASE_MS', MAX_LEASE_MS) ?? 120_000;
  const config = {
    region: read.needed('AWS_REGION', 'name the region of the stack'),
    tables: {
      requests: deployed('PREWARM_REQUEST_TABLE'),
      pops: deployed('PREWARM_POP_TABLE'),
      tasks: deployed('PREWARM_TASK_TABLE'),
    },
    bucket: deployed('PREWARM_BUCKET'),
    queueUrl: deployed('PREWARM_TASK_QUEUE_URL'),
    deadLetterUrl: read.text('PREWARM_DEAD_LETTER_QUEUE_URL'),
    groupName: deployed('PREWARM_GROUP_NAME'),
    floor: read.whole('PREWARM_THREAD_NUMBER', MAX_IN_FLIGHT) ?? 6,
    leaseMs,
    beatMs: read.whole('PREWARM_BEAT_MS', MAX_LEASE_MS) ?? Math.min(BEAT_MS, Math.ceil(leaseMs / 4)),
    idleMs: read.whole('PREWARM_IDLE_MS', MAX_LEASE_MS) ?? 30_000,
    busyDir: read.text('PREWARM_BUSY_DIR'),
    agentNumber: read.whole('PREWARM_AGENT_NUMBER', MAX_AGENTS) ?? 1,
    metadataEndpoint: read.text('AWS_EC2_METADATA_SERVICE_ENDPOINT') ?? METADATA_ENDPOINT,
    allowPrivateAddresses: read.yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
  };
  if (!config.metadataEndpoint.startsWith('http://') || !URL.canParse(config.metadataEndpoint))
    faults.push(inputFault('AWS_EC2_METADATA_SERVICE_ENDPOINT', config.metadataEndpoint, 'write a URL with http'));
  if (faults.length > 0) throw new InvalidInput(faults);
  return { ...config, ca: caFile === null ? null : readFileSync(caFile, 'utf8') };
}
