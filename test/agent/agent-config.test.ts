import { expect, it } from 'vitest';
import { loadAwsAgentConfig, loadEmbeddedAgentConfig } from '../../agent/agent-config.ts';
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

it('the configuration reports every wrong variable at once, with its value and the remedy', () => {
  const env = { PREWARM_CONCURRENCY: '513', PREWARM_LEASE_MS: '-1', PREWARM_ALLOW_PRIVATE_ADDRESSES: 'yes' };
  const faults = faultsOf(() => loadEmbeddedAgentConfig(env));
  expect(faults).toEqual(['PREWARM_DATA_DIR=', 'PREWARM_CONCURRENCY=513', 'PREWARM_LEASE_MS=-1', 'PREWARM_ALLOW_PRIVATE_ADDRESSES=yes']);
});

it('the configuration by default finds the number in flight and refuses private addresses', () => {
  const { concurrency, leaseMs, ca, allowPrivateAddresses } = loadEmbeddedAgentConfig({ PREWARM_DATA_DIR: '/d' });
  expect({ concurrency, leaseMs, ca, allowPrivateAddresses }).toEqual({
    concurrency: null,
    leaseMs: 120_000,
    ca: null,
    allowPrivateAddresses: false,
  });
});

it('the configuration reports an unreadable file of roots together with the other faults', () => {
  const env = { PREWARM_CA_FILE: '/nowhere', PREWARM_BEAT_MS: '0' };
  expect(faultsOf(() => loadEmbeddedAgentConfig(env))).toEqual(['PREWARM_DATA_DIR=', 'PREWARM_BEAT_MS=0', 'PREWARM_CA_FILE=/nowhere']);
});

it('the configuration reports every variable that an agent in AWS lacks, and the metadata service that it cannot ask', () => {
  const faults = faultsOf(() => loadAwsAgentConfig({ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'https://127.0.0.1' }));
  expect(faults).toEqual([
    'AWS_REGION=',
    'PREWARM_REQUEST_TABLE=',
    'PREWARM_POP_TABLE=',
    'PREWARM_TASK_TABLE=',
    'PREWARM_BUCKET=',
    'PREWARM_TASK_QUEUE_URL=',
    'PREWARM_GROUP_NAME=',
    'AWS_EC2_METADATA_SERVICE_ENDPOINT=https://127.0.0.1',
  ]);
});
