import { afterAll, beforeAll, describe } from 'vitest';
import { testAlarms } from './alarm-tests.ts';
import { testApi } from './api-tests.ts';
import { testFleet } from './fleet-tests.ts';
import { testPermissions } from './permission-tests.ts';
import { testSnapshots } from './snapshot-tests.ts';
import { testStores } from './store-tests.ts';
import { type Synthesized, synthesizeStacks } from './synthesize-stacks.ts';
import { testTriggers } from './trigger-tests.ts';
import { testUserInterface } from './user-interface-tests.ts';

// One synthesis serves all of them: it takes longer than every look at it together.
let synthesized: Synthesized | undefined;

beforeAll(async () => {
  synthesized = await synthesizeStacks();
});
afterAll(() => synthesized?.remove());

function stacks(): Synthesized {
  if (synthesized === undefined) throw new Error('the stacks were not synthesized');
  return synthesized;
}

describe.each([
  ['parameters, outputs and names', testUserInterface],
  ['the API', testApi],
  ['tables, bucket and queues', testStores],
  ['what wakes the functions', testTriggers],
  ['the fleet', testFleet],
  ['permissions', testPermissions],
  ['alarms and dashboard', testAlarms],
  ['the templates', testSnapshots],
] as const)('%s', (_title, testAll) => {
  testAll(stacks);
});
