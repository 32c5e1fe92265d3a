import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CDK = join(ROOT, 'node_modules', '.bin', 'cdk');
const run = promisify(execFile);

let folder = '';
let said = '';

/** What is said on both streams. Rejects as execFile does. */
async function synth(output: string, context: readonly string[] = []): Promise<string> {
  // Nothing of this machine's AWS: no credentials, no profile, no region, and no metadata service to ask.
  const env = { PATH: process.env['PATH'], HOME: folder, AWS_EC2_METADATA_DISABLED: 'true', CI: 'true' };
  const args = ['synth', '--quiet', '--output', output, ...context.flatMap((pair) => ['-c', pair])];
  const { stdout, stderr } = await run(CDK, args, { cwd: ROOT, env });
  return stdout + stderr;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prewarm-cdk-'));
  said = await synth(join(folder, 'out'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (path: string) => readFileSync(join(folder, 'out', path), 'utf8');

test('cdk synth needs no credentials, writes the templates, and warns of nothing', () => {
  const templates = globSync('*.template.json', { cwd: join(folder, 'out') });
  expect(templates.toSorted()).toEqual([
    'CloudfrontDynamicAPIStack.template.json',
    'LambdaPrewarmStack.template.json',
    'PrewarmExistingVpcStack.template.json',
    'PrewarmStack.template.json',
  ]);
  expect(said).not.toMatch(/warn|deprecat|error/i);
});

test('cdk synth tells the cost of keeping warm', () => {
  expect(said).toMatch(/a POP costs a month, for example:\n {2}IAD89-P1 \(north-america\) \$/);
});

test('cdk synth reports the wrong entries of a context without a stack trace, and synthesizes nothing', async () => {
  const file = join(folder, 'routes.json');
  const entries = [
    { host: 'api.example.com', path: 'x', pops: ['Mars', 'Singapore'], per_minute: 0, headers: ['a: b\r\nc: d'] },
    { host: 'api.example.com', path: '/', pops: ['SIN2-P1'] },
  ];
  const refused = async (context: string) => {
    const output = join(folder, 'refused');
    const error: { stdout?: string; stderr?: string } = await synth(output, [context]).then(
      () => ({}),
      (error: object) => error,
    );
    expect(globSync('*.template.json', { cwd: output })).toEqual([]);
    const text = `${error.stdout}${error.stderr}`;
    expect(text).not.toMatch(/^ +at |Node\.js v/m);
    return text;
  };
  await writeFile(file, JSON.stringify(entries));
  const text = await refused(`keepWarm=${file}`);
  const fields = [...text.matchAll(/^ {2}context (keepWarm\[\d\]\.\w+):/gm)].map(([, field]) => field);
  const [path, pops, perMinute, headers] = ['path', 'pops', 'per_minute', 'headers'].map((field) => `keepWarm[0].${field}`);
  expect(fields).toEqual([path, pops, pops, perMinute, headers]);
  await writeFile(file, JSON.stringify(entries.slice(1)));
  expect(await refused(`keepWarm=${file}`)).toContain('context keepWarm[0].domain: "api.example.com": is an alias; write the');
  expect(await refused('env=no spaces')).toContain('context env: "no spaces": pass 1 to 20 letters');
}, 120_000);

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
