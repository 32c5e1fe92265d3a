import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTimeServiceUserData } from '../../../lib/dynamic-origin/time-service-user-data.ts';

const SECRET = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:tls-abcdef';
const PEM = '-----BEGIN CERTIFICATE-----';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'prewarm-user-data-'));
  for (const folder of ['bin', 'opt/aws/bin', 'etc/systemd/system', 'run/current-time', 'usr/bin'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['dd', 'mkswap', 'chown', 'useradd', 'journalctl', 'sleep']) fake(name, '');
  fake('dd', `touch ${root}/swapfile`);
  fake(
    'swapon',
    `if [[ "$1" == --show=NAME ]]; then cat ${root}/swaps 2> /dev/null; exit 0; fi
grep -qx "$1" ${root}/swaps 2> /dev/null && { echo "swapon: $1: already on" >&2; exit 255; }
echo "$1" >> ${root}/swaps`,
  );
  fake('dnf', `touch ${root}/usr/bin/node-24; chmod 0755 ${root}/usr/bin/node-24`);
  fake('id', 'exit 1');
  fake('aws', `case "$1" in s3) touch "\${@: -1}" ;; secretsmanager) [[ -e ${root}/no-secret ]] && exit 254; echo '${PEM}' ;; esac`);
  // As systemd would, at each start: the certificate is read, then the service listens.
  fake(
    'systemctl',
    `if [[ "$1" == restart ]]; then ${root}/opt/current-time/read-certificate && touch ${root}/listening || rm -f ${root}/listening; fi`,
  );
  fake(
    'curl',
    `[[ -e ${root}/listening ]] || exit 7
case "\${@: -1}" in https:*) [[ -e ${root}/run/current-time/tls ]] ;; http:*) [[ ! -e ${root}/run/current-time/tls ]] ;; esac`,
  );
  fake('cfn-signal', `[[ -e ${root}/not-waiting ]] && exit 1; exit 0`, 'opt/aws/bin');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function fake(name: string, body: string, folder = 'bin'): void {
  const path = join(root, folder, name);
  writeFileSync(path, `#!/bin/bash\necho "${name} $*" >> ${root}/calls\n${body}\n`);
  chmodSync(path, 0o755);
}

/** Runs the script as cloud-init would, with the folders that it names below the sandbox. */
function start(certificateSecret: string): { readonly code: number | null; readonly calls: readonly string[]; readonly said: string } {
  const userData = createTimeServiceUserData({
    region: 'eu-west-1',
    codeBucket: 'assets',
    codeKey: 'service.mjs',
    certificateSecret,
    stackName: 'stack',
    instanceLogicalId: 'Instance',
  });
  const [, script = ''] = /text\/x-shellscript[^\n]*\n\n([\s\S]*)\n--==CURRENT-TIME==--\n$/.exec(userData) ?? [];
  const inSandbox = script.replaceAll(/(?<![\w.:/-])\/(opt|etc|run|swapfile|usr\/bin\/node-24)\b/g, `${root}/$1`);
  rmSync(join(root, 'calls'), { force: true });
  const { status, stdout, stderr } = spawnSync('bash', ['-c', inSandbox], {
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, HOME: root },
    encoding: 'utf8',
  });
  const calls = readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n');
  return { code: status, calls, said: `${stdout}${stderr}` };
}

const signals = (calls: readonly string[]) => calls.filter((call) => call.startsWith('cfn-signal'));

test('cloud-init runs the script at every start', () => {
  const userData = createTimeServiceUserData({
    region: '',
    codeBucket: '',
    codeKey: '',
    certificateSecret: '',
    stackName: '',
    instanceLogicalId: '',
  });
  expect(userData).toMatch(/^Content-Type: multipart\/mixed; boundary="(==CURRENT-TIME==)"\nMIME-Version: 1\.0\n\n--==CURRENT-TIME==\n/);
  expect(userData).toContain(
    'Content-Type: text/cloud-config; charset="us-ascii"\n\n#cloud-config\ncloud_final_modules:\n- [scripts-user, always]\n',
  );
  expect(userData).toMatch(/\n\n#!\/bin\/bash\n[\s\S]*\n--==CURRENT-TIME==--\n$/);
});

test('a new instance speaks HTTP without a secret, tells the stack so, and does at its next start what is left to do', () => {
  const first = start('');
  expect(first.said).toContain('answers at http://127.0.0.1/time');
  expect(first.code).toBe(0);
  expect(signals(first.calls)).toEqual([
    'cfn-signal --region eu-west-1 --stack stack --resource Instance --exit-code 0 --reason answers at http://127.0.0.1/time',
  ]);
  writeFileSync(join(root, 'not-waiting'), '');
  const second = start('');
  expect(second.code).toBe(0);
  expect(second.said).toContain('CloudFormation does not wait for this start');
  expect(second.calls.filter((call) => /^(dd|mkswap|dnf) /.test(call))).toEqual([]);
  expect(readFileSync(join(root, 'swaps'), 'utf8')).toBe(`${root}/swapfile\n`);
});

test('an instance whose secret is set later reads it at its next start, and speaks HTTPS', () => {
  expect(start('').code).toBe(0);
  expect(existsSync(join(root, 'run/current-time/tls'))).toBe(false);
  const { code, said } = start(SECRET);
  expect(said).toContain('answers at https://127.0.0.1/time');
  expect(code).toBe(0);
  expect(readFileSync(join(root, 'run/current-time/tls'), 'utf8')).toContain(PEM);
  expect(start('').said).toContain('answers at http://127.0.0.1/time');
  expect(existsSync(join(root, 'run/current-time/tls'))).toBe(false);
});

test('a secret that cannot be read fails the stack, with what the service says', () => {
  writeFileSync(join(root, 'no-secret'), '');
  fake('journalctl', 'echo "An error occurred (AccessDeniedException)"');
  const { code, calls } = start(SECRET);
  expect(code).toBe(1);
  expect(signals(calls)).toEqual([
    expect.stringMatching(
      /--exit-code 1 --reason no answer at https:\/\/127\.0\.0\.1\/time; the service says: An error occurred \(AccessDeniedException\)/,
    ),
  ]);
});

test('packages that cannot be installed fail the stack, with the command', () => {
  fake('dnf', 'exit 1');
  const { code, calls } = start('');
  expect(code).not.toBe(0);
  expect(signals(calls)).toEqual([expect.stringMatching(/--exit-code 1 --reason line \d+ of the user data failed: /)]);
  expect(calls.filter((call) => call.startsWith('dnf'))).toHaveLength(5);
});
