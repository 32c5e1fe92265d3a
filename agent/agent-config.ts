import { readFileSync } from 'node:fs';
import { type InputFault, InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';

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

const MAX_IN_FLIGHT = 512;
const MAX_LEASE_MS = 12 * 3_600_000;

/** Reads variables and collects what is wrong with them. By hand: zod would take 18 MB of each agent's 150 (measured). */
function createReader(env: NodeJS.ProcessEnv, faults: InputFault[]) {
  return {
    text(name: string): string | null {
      return env[name] || null;
    },
    whole(name: string, most: number): number | null {
      const text = env[name];
      if (text === undefined) return null;
      const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      if (value < 1 || value > most) faults.push(inputFault(name, text, `write a whole number from 1 to ${most}`));
      return value;
    },
    yes(name: string): boolean {
      const text = env[name] ?? 'false';
      if (text !== 'true' && text !== 'false') faults.push(inputFault(name, text, 'write true or false'));
      return text === 'true';
    },
  };
}

/** Reads the agent's whole configuration, once. Throws InvalidInput with every fault. */
export function loadAgentConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const faults: InputFault[] = [];
  const read = createReader(env, faults);
  const dataDir = read.text('PREWARM_DATA_DIR');
  if (dataDir === null) faults.push(inputFault('PREWARM_DATA_DIR', '', 'is missing; name the data directory of the run'));
  const caFile = read.text('PREWARM_CA_FILE');
  const config = {
    dataDir: dataDir ?? '',
    concurrency: read.whole('PREWARM_CONCURRENCY', MAX_IN_FLIGHT),
    leaseMs: read.whole('PREWARM_LEASE_MS', MAX_LEASE_MS) ?? 120_000,
    beatMs: read.whole('PREWARM_BEAT_MS', MAX_LEASE_MS) ?? 1000,
    allowPrivateAddresses: read.yes('PREWARM_ALLOW_PRIVATE_ADDRESSES'),
  };
  if (faults.length > 0) throw new InvalidInput(faults);
  return { ...config, ca: caFile === null ? null : readFileSync(caFile, 'utf8') };
}
