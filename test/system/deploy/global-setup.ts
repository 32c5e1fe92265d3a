import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { emulatorUnavailable } from '../../../testing/aws-account/emulated-account.ts';
import { runCdkWell } from '../../../testing/aws-account/cdk-cli.ts';

const DOCUMENT = 'docs/tests-on-an-emulated-account.md';
const UNPROVEN = '## What it cannot prove';
const SYNTH_TIMEOUT_MS = 300_000;

/** The document's own list, to be said at the end of every run. */
function listUnproven(): string {
  const text = readFileSync(new URL(`../../../${DOCUMENT}`, import.meta.url), 'utf8');
  const list =
    text
      .split(UNPROVEN)[1]
      ?.split('\n## ')[0]
      ?.match(/^- .*$/gm) ?? [];
  if (list.length === 0) throw new Error(`${DOCUMENT} has no list "${UNPROVEN}"`);
  return `\nNot proved by these tests, as the emulated account cannot (${DOCUMENT}):\n${list.join('\n')}\n`;
}

/** Synthesizes once, without credentials, for all files: a folder for each environment in the folder that tests are given. */
export default async function synthesize(project: TestProject): Promise<() => void> {
  const unproven = listUnproven();
  const unavailable = emulatorUnavailable();
  if (unavailable !== null) throw new Error(unavailable);
  const home = mkdtempSync(join(tmpdir(), 'prewarm-assemblies-'));
  const remove = () => rmSync(home, { recursive: true, force: true });
  process.once('exit', remove);
  const synth = async (env: string, context: readonly string[]) => {
    const args = ['synth', '--quiet', '--output', join(home, env), ...context];
    const { seconds } = await runCdkWell(args, { env: {}, home, timeoutMs: SYNTH_TIMEOUT_MS });
    process.stdout.write(`synthesized ${env} in ${seconds.toFixed(1)} s\n`);
  };
  try {
    await Promise.all([synth('prod', []), synth('staging', ['-c', 'env=staging'])]);
  } catch (error) {
    remove();
    throw error;
  }
  project.provide('assemblies', home);
  return () => {
    remove();
    process.off('exit', remove);
    process.stdout.write(unproven);
  };
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder with one cloud assembly per environment: `prod`, `staging`. */
    assemblies: string;
  }
}
