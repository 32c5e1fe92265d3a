import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `npm run synth:check`: cfn-lint, which comes from PyPI into an environment of its own, on what `npm run synth` wrote.

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const REQUIREMENTS = join(import.meta.dirname, 'cfn-lint.txt');
const VERSION = /^cfn-lint==(\S+)/m.exec(readFileSync(REQUIREMENTS, 'utf8'))?.[1] ?? '';
const VENV = join(ROOT, '.venv-cfn-lint');
const CFN_LINT = join(VENV, 'bin', 'cfn-lint');

function run(command: string, args: readonly string[], quiet: boolean): boolean {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: quiet ? 'pipe' : 'inherit' });
  return status === 0;
}

function isInstalled(): boolean {
  const { stdout } = spawnSync(CFN_LINT, ['--version'], { encoding: 'utf8' });
  return existsSync(CFN_LINT) && stdout.includes(VERSION);
}

function install(): boolean {
  const pip = join(VENV, 'bin', 'pip');
  return (
    run('python3', ['-m', 'venv', VENV], true) &&
    run(pip, ['install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--requirement', REQUIREMENTS], true)
  );
}

const templates = globSync('cdk.out/*.template.json', { cwd: ROOT });
if (templates.length === 0) {
  process.stderr.write('cdk.out has no templates; run npm run synth first\n');
  process.exitCode = 1;
} else if (!isInstalled() && !install()) {
  process.stderr.write(`skipped: cfn-lint ${VERSION} could not be installed (it takes Python 3 and a package index)\n`);
} else if (run(CFN_LINT, templates, false)) {
  process.stdout.write(`cfn-lint ${VERSION}: ${templates.length} templates, nothing to say\n`);
} else {
  process.exitCode = 1;
}
