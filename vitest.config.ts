import { defineConfig } from 'vitest/config';
import { reportersFor } from './.ci/test-results.ts';

export default defineConfig({
  test: {
    reporters: reportersFor('unit'),
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
