import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InvalidInput } from '../../core/errors.ts';
import { ENDING, loadFunctionConfig } from '../../lambda/function-config.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

const ENDING_ENV = {
  PREWARM_ENV_NAME: 'prod',
  PREWARM_REQUEST_TABLE: 'requests',
  PREWARM_POP_TABLE: 'pops',
  PREWARM_TASK_TABLE: 'tasks',
  PREWARM_GROUP_NAME: 'prewarm_asg_prod',
  PREWARM_MAX_INSTANCES: '100',
  PREWARM_SCHEDULE_GROUP: 'prewarm_prod',
  PREWARM_SHUTDOWN_FUNCTION_ARN: 'arn:aws:lambda:eu-west-1:111122223333:function:prewarm_shutdown_prod',
  PREWARM_SCHEDULE_ROLE_ARN: 'arn:aws:iam::111122223333:role/schedule',
  PREWARM_EVENT_BUS: 'prewarm_prod',
};

function faultsOf(load: () => unknown): string[] {
  try {
    load();
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.faults.map(({ field }) => field);
  }
}

test('a function reads only what it needs, and reports all faults of its configuration at once', () => {
  expect(loadFunctionConfig(ENDING_ENV, ENDING)).toEqual({
    envName: 'prod',
    tables: { requests: 'requests', pops: 'pops', tasks: 'tasks' },
    group: { groupName: 'prewarm_asg_prod', maximum: 100, onDemandGroupName: null, onDemandFallback: 0 },
    timers: {
      group: 'prewarm_prod',
      targetArn: ENDING_ENV.PREWARM_SHUTDOWN_FUNCTION_ARN,
      roleArn: ENDING_ENV.PREWARM_SCHEDULE_ROLE_ARN,
    },
    eventBus: 'prewarm_prod',
  });
  expect(faultsOf(() => loadFunctionConfig({}, ENDING))).toEqual(Object.keys(ENDING_ENV));
  const wrong = {
    ...ENDING_ENV,
    PREWARM_POP_TABLE: '',
    PREWARM_MAX_INSTANCES: 'many',
    PREWARM_SHOW_SUCCESS_URLS: 'yes',
    PREWARM_EDGE_PORT: '0',
  };
  const names = ['PREWARM_POP_TABLE', 'PREWARM_MAX_INSTANCES', 'PREWARM_BUCKET', 'PREWARM_SHOW_SUCCESS_URLS', 'PREWARM_EDGE_PORT'];
  expect(faultsOf(() => loadFunctionConfig(wrong, [...ENDING, 'bucket', 'showSuccessUrls', 'edge']))).toEqual(names);
});

test('the edge is CloudFront itself unless the environment says otherwise', () => {
  const env = { PREWARM_ENV_NAME: 'prod' };
  const { edge } = loadFunctionConfig(env, ['edge']);
  expect(edge).toEqual({ dnsServer: null, edgePort: 443, edgeHttpPort: 80, edgeMap: null, ca: null, allowPrivateAddresses: false });
  const path = join(temporaryDir(), 'map.json');
  writeFileSync(path, '{}');
  const other = {
    PREWARM_DNS_SERVER: '127.0.0.1:5353',
    PREWARM_EDGE_PORT: '8443',
    PREWARM_EDGE_MAP: path,
    PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
  };
  expect(loadFunctionConfig({ ...env, ...other }, ['edge']).edge).toMatchObject({
    dnsServer: '127.0.0.1:5353',
    edgePort: 8443,
    edgeMap: '{}',
    allowPrivateAddresses: true,
  });
  expect(faultsOf(() => loadFunctionConfig({ ...env, PREWARM_CA_FILE: '/nowhere' }, ['edge']))).toEqual(['PREWARM_CA_FILE']);
});

test('a function reads the on-demand group and its minutes where a stack has them, and refuses minutes that are no number', () => {
  const env = { ...ENDING_ENV, PREWARM_ON_DEMAND_GROUP_NAME: 'prewarm_asg_prod_ondemand', PREWARM_ON_DEMAND_FALLBACK: '10' };
  expect(loadFunctionConfig(env, ENDING).group).toMatchObject({ onDemandGroupName: 'prewarm_asg_prod_ondemand', onDemandFallback: 10 });
  expect(loadFunctionConfig({ ...env, PREWARM_ON_DEMAND_FALLBACK: '0' }, ENDING).group).toMatchObject({ onDemandFallback: 0 });
  expect(faultsOf(() => loadFunctionConfig({ ...env, PREWARM_ON_DEMAND_FALLBACK: 'soon' }, ENDING))).toEqual([
    'PREWARM_ON_DEMAND_FALLBACK',
  ]);
});

test('the keep-warm function reports its missing table together with every other fault', () => {
  expect(faultsOf(() => loadFunctionConfig({ PREWARM_EDGE_PORT: '0' }, ['edge', 'keepWarmTable']))).toEqual([
    'PREWARM_ENV_NAME',
    'PREWARM_EDGE_PORT',
    'PREWARM_KEEP_WARM_TABLE',
  ]);
  const env = { PREWARM_ENV_NAME: 'prod', PREWARM_KEEP_WARM_TABLE: 'claims', PREWARM_KEEP_WARM_URL_PATH: ' /time ' };
  expect(loadFunctionConfig(env, ['keepWarm', 'keepWarmTable'])).toMatchObject({
    keepWarm: { urlPath: '/time', popList: '' },
    keepWarmTable: 'claims',
  });
});
