import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type InputFault, InvalidInput } from '../core/errors.ts';

const positive = z.coerce.number().int().positive();

const environment = z.object({
  PREWARM_DATA_DIR: z.string().min(1),
  /** Downloads in flight: exactly this many; absent: the agent finds out. */
  PREWARM_CONCURRENCY: positive.max(512).optional(),
  PREWARM_LEASE_MS: positive.default(120_000),
  PREWARM_BEAT_MS: positive.default(1000),
  PREWARM_CA_FILE: z.string().min(1).optional(),
  PREWARM_ALLOW_PRIVATE_ADDRESSES: z.enum(['true', 'false']).default('false'),
});

export interface AgentConfig {
  readonly dataDir: string;
  readonly concurrency: number | null;
  readonly leaseMs: number;
  readonly beatMs: number;
  /** PEM; null: the well-known roots. */
  readonly ca: string | null;
  readonly allowPrivateAddresses: boolean;
}

/** Reads the agent's whole configuration, once. Throws InvalidInput with every fault. */
export function loadAgentConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const read = environment.safeParse(env);
  if (!read.success) {
    const faults = read.error.issues.map((issue): InputFault => {
      const field = issue.path.join('.');
      return { field, value: env[field] ?? '', message: issue.message };
    });
    throw new InvalidInput(faults);
  }
  const values = read.data;
  return {
    dataDir: values.PREWARM_DATA_DIR,
    concurrency: values.PREWARM_CONCURRENCY ?? null,
    leaseMs: values.PREWARM_LEASE_MS,
    beatMs: values.PREWARM_BEAT_MS,
    ca: values.PREWARM_CA_FILE === undefined ? null : readFileSync(values.PREWARM_CA_FILE, 'utf8'),
    allowPrivateAddresses: values.PREWARM_ALLOW_PRIVATE_ADDRESSES === 'true',
  };
}
