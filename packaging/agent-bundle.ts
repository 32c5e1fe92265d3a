import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What `buildAgentBundle` writes, and all it writes. */
const FILE = 'agent.mjs';

/** Packages in CommonJS call `require`, which modules do not have. */
const REQUIRE = `import { createRequire as createRequireOfAgent } from 'node:module';
const require = createRequireOfAgent(import.meta.url);`;

/**
 * Writes the agent and all it imports, the AWS SDK included, as one file into the folder, and returns the file's path.
 * The same sources make the same bytes wherever they are, so that a deploy without a change changes nothing.
 */
export function buildAgentBundle(outDir: string): string {
  const outfile = join(outDir, FILE);
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ['agent/main.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'warning',
  });
  return outfile;
}
