import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { emulatorUnavailable } from '../emulator/emulated-account.ts';
import { runCdkWell } from './cdk-cli.ts';

/** Synthesizes once, without credentials, for all files: a folder for each environment in the folder that tests are given. */
export default async function synthesize(project: TestProject): Promise<() => void> {
  const unavailable = emulatorUnavailable();
  if (unavailable !== null) throw new Error(unavailable);
  const home = mkdtempSync(join(tmpdir(), 'prewarm-assemblies-'));
  const remove = () => rmSync(home, { recursive: true, force: true });
  try {
    for (const env of ['prod', 'staging']) {
      const context = env === 'prod' ? [] : ['-c', `env=${env}`];
      const { seconds } = await runCdkWell(['synth', '--quiet', '--output', join(home, env), ...context], { env: {}, home });
      process.stdout.write(`synthesized ${env} in ${seconds.toFixed(1)} s\n`);
    }
  } catch (error) {
    remove();
    throw error;
  }
  project.provide('assemblies', home);
  return remove;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder with one cloud assembly per environment: `prod`, `staging`. */
    assemblies: string;
  }
}
