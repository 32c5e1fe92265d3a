import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Packages in CommonJS call `require`, which modules do not have. */
const REQUIRE = `import { createRequire as createRequireOfFunction } from 'node:module';
const require = createRequireOfFunction(import.meta.url);`;

function bundle(entry: string, outdir: string): true {
  const { outputFiles } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: { index: entry },
    // Source maps name files relative to where they are written. Seen from one place, the same sources are the same asset everywhere.
    outdir: join(ROOT, 'lambda'),
    write: false,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported on demand becomes a file of its own, which a cold start does not even parse.
    splitting: true,
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    sourcemap: true,
    // Frames with names and lines are what a log needs; the sources are in the repository.
    sourcesContent: false,
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const { path, contents } of outputFiles) writeFileSync(join(outdir, basename(path)), contents);
  return true;
}

/**
 * A module and all it imports, the AWS SDK included, minified, with source maps. `entry` is a path from the
 * repository's root. Bundled in this process: the CDK's own way starts npx for every function, which takes longer than esbuild.
 */
export function createBundledCode(entry: string): AssetCode {
  return Code.fromAsset(join(ROOT, dirname(entry)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never started. The command tells one entry of a folder from another, so that stacks share what is bundled already.
      image: DockerImage.fromRegistry('unused'),
      command: [basename(entry)],
      local: { tryBundle: (outdir) => bundle(entry, outdir) },
    },
  });
}
