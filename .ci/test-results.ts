import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// With TEST_RESULTS=FOLDER each run of vitest leaves its counts there; `node .ci/test-results.ts FOLDER` prints their sum as one line.

const FOLDER = process.env['TEST_RESULTS'];

interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

/** Reporters of one run: the usual one, and a file of results (`<run>.json`) where TEST_RESULTS asks for it. */
export function reportersFor(run: string): (string | [string, Record<string, string>])[] {
  return FOLDER === undefined ? ['default'] : ['default', ['json', { outputFile: join(FOLDER, `${run}.json`) }]];
}

function printSum(folder: string): void {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const name of readdirSync(folder)) {
    const results = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Results;
    passed += results.numPassedTests;
    failed += results.numFailedTests;
    skipped += results.numPendingTests;
  }
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  if (passed === 0 || failed > 0) process.exitCode = 1;
}

if (import.meta.main) printSum(process.argv[2] ?? '');
