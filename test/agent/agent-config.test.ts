import { expect, it } from 'vitest';
import { loadAgentConfig } from '../../agent/agent-config.ts';
import { InvalidInput } from '../../core/errors.ts';

function faultsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof InvalidInput) return error.faults.map(({ field, value }) => `${field}=${value}`);
    throw error;
  }
  return [];
}

it('reports every variable that is wrong at once, with its value and the remedy', () => {
  const env = { PREWARM_CONCURRENCY: '513', PREWARM_LEASE_MS: '-1', PREWARM_ALLOW_PRIVATE_ADDRESSES: 'yes' };
  const faults = faultsOf(() => loadAgentConfig(env));
  expect(faults).toEqual(['PREWARM_DATA_DIR=', 'PREWARM_CONCURRENCY=513', 'PREWARM_LEASE_MS=-1', 'PREWARM_ALLOW_PRIVATE_ADDRESSES=yes']);
});

it('finds the number in flight by itself, and refuses private addresses, where nothing is said', () => {
  const { concurrency, leaseMs, ca, allowPrivateAddresses } = loadAgentConfig({ PREWARM_DATA_DIR: '/d' });
  expect({ concurrency, leaseMs, ca, allowPrivateAddresses }).toEqual({
    concurrency: null,
    leaseMs: 120_000,
    ca: null,
    allowPrivateAddresses: false,
  });
});
