import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAIN, prewarm } from './prewarm-command.ts';

const packageFile = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  bin: { prewarm: string };
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewarm-cli-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('the prewarm command', () => {
  test('the prewarm command prints its version on standard output', async () => {
    expect(await prewarm(['--version'])).toEqual({ code: 0, stdout: `${packageFile.version}\n`, stderr: '' });
  });

  test('the prewarm command shows help with examples for itself and for each of its commands', async () => {
    const asked = [[], ['run'], ['drill'], ['simulate']];
    const [program, run, drill, simulate] = await Promise.all(asked.map((args) => prewarm([...args, '--help'])));
    for (const shown of [program, run, drill, simulate]) {
      expect(shown).toMatchObject({ code: 0, stderr: '' });
      expect(shown?.stdout).toContain('Examples:\n  $ ');
    }
    const flags = 'url domain pops countries regions header timeout agents concurrency invalidate out data-dir json skip-bad resume';
    const edge = 'invalidation-endpoint dns-server edge-port edge-http-port edge-map ca-file allow-private-addresses';
    for (const flag of `${flags} ${edge}`.split(' ')) expect(run?.stdout).toMatch(new RegExp(`\\n  --${flag}[ \\n]`));
  });

  test.each([
    { args: ['run', '--popz', 'SIN2-P1'], says: "prewarm: unknown option '--popz'\n(Did you mean --pops?)" },
    { args: ['rnu'], says: "prewarm: unknown command 'rnu'\n(Did you mean run?)" },
    { args: ['run', 'a.csv', 'b.csv'], says: "prewarm: too many arguments for 'run'" },
    { args: ['run', '--out'], says: "prewarm: option '--out <FILE>' argument missing" },
    { args: [], says: 'Usage: prewarm' },
  ])('the prewarm command answers the bad usage $args with exit 2 and says what is wrong', async ({ args, says }) => {
    const ended = await prewarm(args);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr.startsWith(says)).toBe(true);
    expect(ended.stderr).not.toContain('    at ');
  });

  test('the prewarm command reports every bad option of a run together and exits with 2', async () => {
    const ended = await prewarm([
      'run',
      join(dir, 'none.csv'),
      '--pops',
      'Singapore',
      '--timeout',
      '0',
      '--header',
      'Host: x',
      '--agents',
      'x',
    ]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    const lines = ended.stderr.trimEnd().split('\n');
    expect(lines[0]).toBe('prewarm: nothing was sent, because the input is not right:');
    expect(lines.slice(1).map((line) => line.trim().split(':')[0])).toEqual(
      expect.arrayContaining(['FILE', '--pops', '--timeout', '--header', '--agents']),
    );
    expect(lines).toHaveLength(6);
  });

  test.each([
    { what: 'a list that does not exist', args: ['none.csv'], says: 'FILE: "none.csv": cannot be read (ENOENT)' },
    { what: 'POPs that are none', args: ['--pops', 'Singapura'], says: '--pops: "Singapura": is not the name of a POP' },
    {
      what: 'a place for POPs',
      args: ['--pops', 'singapore'],
      says: '--pops: "singapore": is a place, and POPs are simulated by name; write some',
    },
    { what: 'no POP', args: ['--pops', ','], says: '--pops: ",": names no POP; write some such as SIN2-P1,FRA56-P4' },
  ])('the prewarm command refuses a drill with $what', async ({ args, says }) => {
    const ended = await prewarm(['drill', ...args]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(`  ${says}`);
  });

  test('the prewarm command ends quietly when the reader of its output goes away', async () => {
    const child = spawn('bash', ['-c', `set -o pipefail; "$0" "$1" run --help | true`, process.execPath, MAIN], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const code = await new Promise((resolve) => {
      child.on('close', resolve);
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('npx finds the prewarm command in a clone and runs it from its sources', async () => {
    const launcher = fileURLToPath(new URL(`../../${packageFile.bin.prewarm}`, import.meta.url));
    expect(statSync(launcher).mode & 0o111).not.toBe(0);
    expect(readFileSync(launcher, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(await promisify(execFile)(process.execPath, [launcher, '--version'])).toEqual({
      stdout: `${packageFile.version}\n`,
      stderr: '',
    });
  });

  test('the prewarm command reports a Node version that is too old', async () => {
    const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.1.0'}})`;
    const launcher = fileURLToPath(new URL(`../../${packageFile.bin.prewarm}`, import.meta.url));
    await expect(promisify(execFile)(process.execPath, ['--import', old, launcher, '--version'])).rejects.toMatchObject({
      code: 2,
      stderr: 'prewarm: needs Node 24 or later, and this is 20.1.0; from a clone, npx prewarm brings its own\n',
    });
  });
});

describe('the compile cache', () => {
  test('the compile cache lies in the user cache folder from the first run on', async () => {
    const env = { XDG_CACHE_HOME: dir, NODE_COMPILE_CACHE: undefined as unknown as string };
    expect((await prewarm(['--version'], env)).code).toBe(0);
    expect(readdirSync(join(dir, 'cloudfront-prewarm'))).not.toEqual([]);
  });

  test('the prewarm command works without a compile cache where nothing can be written', async () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    chmodSync(dir, 0o500);
    expect(await prewarm(['--version'], { XDG_CACHE_HOME: file })).toMatchObject({ code: 0, stderr: '' });
    chmodSync(dir, 0o700);
  });
});

test('the lock names the optional packages of every platform, without which npm ci refuses it', () => {
  interface Entry {
    readonly optionalDependencies?: Readonly<Record<string, string>>;
    /** Comes inside another package's archive, complete as it is. */
    readonly inBundle?: boolean;
  }
  const file = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Readonly<Record<string, Entry>> };
  const installed = Object.entries(packages).filter(([, entry]) => entry.inBundle !== true);
  const missing = installed.flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => packages[`node_modules/${name}`] === undefined && packages[`${path}/node_modules/${name}`] === undefined,
    ),
  );
  expect(missing, 'run: node .ci/complete-lock.js').toEqual([]);
});

test('every package of the lock has its hash, none names a registry, and none may run a script when it is installed', () => {
  interface Entry {
    readonly integrity?: string;
    readonly resolved?: string;
    readonly link?: boolean;
    readonly inBundle?: boolean;
    readonly hasInstallScript?: boolean;
  }
  const read = (path: string) => JSON.parse(readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')) as unknown;
  const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Entry>> };
  const { allowScripts } = read('package.json') as { allowScripts: Readonly<Record<string, boolean>> };
  const installed = Object.entries(packages).filter(([path, entry]) => path.includes('node_modules/') && entry.inBundle !== true);
  const fetched = installed.filter(([, entry]) => entry.link !== true);
  expect(fetched.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
  expect(JSON.stringify(packages)).not.toMatch(/"resolved":"[a-z+]+:/);
  const scripted = installed.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path.replace(/.*node_modules\//, ''));
  expect(Object.fromEntries(scripted.map((name) => [name, allowScripts[name]]))).toEqual({ esbuild: false });
  expect(Object.values(allowScripts)).not.toContain(true);
  // The interpreter of everything is such a package too.
  expect(fetched.map(([path]) => path).filter((path) => /^node_modules\/node-(linux|darwin|win)-/.test(path))).toHaveLength(4);
});

test('the list of PyPI packages for tests names their hashes, and pip takes nothing else', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const [file, user] of [
    ['test/lib/prewarm/scripts/cfn-lint.txt', 'test/lib/prewarm/scripts/lint-templates.ts'],
    ['testing/aws-account/ministack.txt', 'testing/aws-account/prepare.py'],
    ['test/server/scripts/schemathesis.txt', 'test/server/scripts/fuzz.ts'],
  ] as const) {
    const named = readFileSync(join(root, file), 'utf8')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(named.filter((line) => !/^[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}/.test(line))).toEqual([]);
    expect(named.length).toBeGreaterThan(5);
    expect(readFileSync(join(root, user), 'utf8')).toContain('--require-hashes');
  }
});
