import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CDK = join(ROOT, 'node_modules', '.bin', 'cdk');
const run = promisify(execFile);

let folder = '';
let said = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prewarm-cdk-'));
  // Nothing of this machine's AWS: no credentials, no profile, no region, and no metadata service to ask.
  const env = { PATH: process.env['PATH'], HOME: folder, AWS_EC2_METADATA_DISABLED: 'true', CI: 'true' };
  const { stdout, stderr } = await run(CDK, ['synth', '--quiet', '--output', join(folder, 'out')], { cwd: ROOT, env });
  said = stdout + stderr;
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (path: string) => readFileSync(join(folder, 'out', path), 'utf8');

test('cdk synth needs no credentials, writes the templates, and warns of nothing', () => {
  const templates = globSync('*.template.json', { cwd: join(folder, 'out') });
  expect(templates).toEqual(expect.arrayContaining(['PrewarmExistingVpcStack.template.json', 'PrewarmStack.template.json']));
  expect(said).not.toMatch(/warn|deprecat|error/i);
});

test('every function is a bundle with source maps and without a package beside it', () => {
  const template = JSON.parse(read('PrewarmStack.template.json')) as {
    Resources: Record<string, { Type: string; Properties: Properties }>;
  };
  interface Properties {
    readonly FunctionName?: unknown;
    readonly Code?: { readonly S3Key: string };
  }
  const functions = Object.values(template.Resources).filter(
    ({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.FunctionName,
  );
  expect(functions).toHaveLength(7);
  for (const { Properties } of functions) {
    const asset = `asset.${Properties.Code?.S3Key.replace('.zip', '')}`;
    const main = read(join(asset, 'index.mjs'));
    expect(main).toMatch(/export\s*\{[^}]*\bas handler\b/);
    expect(main).toContain('sourceMappingURL=index.mjs.map');
    expect(globSync('**/*', { cwd: join(folder, 'out', asset) }).filter((file) => !/\.mjs(\.map)?$/.test(file))).toEqual([]);
  }
});

test('the agent is one file, and so is the service of the backend to try keep-warm on', () => {
  for (const stack of ['PrewarmStack', 'PrewarmExistingVpcStack', 'CloudfrontDynamicAPIStack']) {
    const { files } = JSON.parse(read(`${stack}.assets.json`)) as { files: Record<string, { source: { path: string } }> };
    expect(Object.values(files).filter(({ source }) => source.path.endsWith('.mjs'))).toHaveLength(1);
  }
});
