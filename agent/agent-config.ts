import { readFileSync } from 'node:fs';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { MAX_IN_FLIGHT } from '../core/work/lanes.ts';
import { createVariableReader } from './variable-reader.ts';

export interface AgentConfig {
  readonly dataDir: string;
  /** Downloads in flight: exactly this many; null: the agent finds out. */
  readonly concurrency: number | null;
  readonly leaseMs: number;
  readonly beatMs: number;
  /** PEM; null: the well-known roots. */
  readonly ca: string | null;
  readonly allowPrivateAddresses: boolean;
}

const MAX_LEASE_MS = 12 * 3_600_000;

/** Reads the agent's whole configuration, once. Throws InvalidInput with every fault. */
export function loadAgentConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const faults: InputFault[] = [];
  const read = createVariableReader(env, faults);
  const dataDir = read.needed('PREWARM_DATA_DIR', 'name the data directory of the run');
  const caFile = read.text('PREWARM_CA_FILE');
  const config = {
    dataDir,
    concurrency: read.whole('PREWARM_CONCURRENCY', MAX_IN_FLIGHT),
    leaseMs: read.whole('PREWARM_LEASE_MS', MAX_LEASE_MS) ?? 120_000,
    beatMs: read.whole('PREWARM_BEAT_MS', MAX_LEASE_MS) ?? 1000,
    allowPrivateAddresses: read.yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
  };
  if (faults.length > 0) throw new InvalidInput(faults);
  return { ...config, ca: caFile === null ? null : readFileSync(caFile, 'utf8') };
}
