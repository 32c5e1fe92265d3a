import { defineConfig } from 'vitest/config';
import { reportersFor } from './.ci/test-results.ts';

/** `npm run test:deploy`: each file has an emulated AWS account of its own. */
export default defineConfig({
  test: {
    reporters: reportersFor('deploy'),
    include: ['test/system/deploy/*.deploy.ts'],
    globalSetup: ['test/system/deploy/global-setup.ts'],
    pool: 'forks',
    // Most of the time each waits for a minute to pass.
    maxWorkers: 3,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // One stack, one run through it: after a failure the rest would tell nothing.
    bail: 1,
  },
});
