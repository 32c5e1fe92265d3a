import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAgentUserData } from '../../lib/agent-user-data.ts';

const SCRIPT = createAgentUserData({
  region: 'eu-west-1',
  bundleBucket: 'assets',
  bundleKey: '0a1b.mjs',
  logGroupName: '/prewarm/prod/agents',
  environment: { PREWARM_BUCKET: 'lists', PREWARM_TASK_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/1/q?a=$HOME' },
});

/** Whatever it is called by and with, is noted; `fail` names the one that never works. */
const STUB = `#!/bin/bash
name="$(basename "$0")"
echo "$name $*" >> "$CALLS"
[ "$name" = "\${FAIL:-}" ] && exit 1
[ "$name" = nproc ] && echo 2
exit 0
`;
const COMMANDS = ['dnf', 'aws', 'systemctl', 'useradd', 'id', 'nproc', 'sleep', 'poweroff'];

/** Runs the script with a folder for the root of the file system, and nothing that it would install. */
function boot(fail = '') {
  const root = mkdtempSync(join(tmpdir(), 'prewarm-boot-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const dir of ['bin', 'etc/systemd/system', 'etc/logrotate.d', 'opt/prewarm', 'opt/aws/amazon-cloudwatch-agent/bin', 'var/log'])
    mkdirSync(join(root, dir), { recursive: true });
  const stubs = [...COMMANDS.map((name) => `bin/${name}`), 'opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl'];
  for (const stub of stubs) writeFileSync(join(root, stub), STUB, { mode: 0o755 });
  // What `aws s3 cp` would have brought.
  writeFileSync(join(root, 'opt/prewarm/agent.mjs'), '');
  const script = SCRIPT.replaceAll(/(?<=[\s:])\/(etc|opt|var)\//g, `${root}/$1/`);
  const calls = join(root, 'calls');
  writeFileSync(calls, '');
  const env = { PATH: `${root}/bin:/usr/bin:/bin`, CALLS: calls, FAIL: fail };
  const { status, stderr } = spawnSync('bash', ['--norc', '-c', script], { env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  return { root, status, stderr, read, calls: readFileSync(calls, 'utf8').replaceAll(root, '').split('\n').filter(Boolean) };
}

describe('the user data of an instance', () => {
  test('fetches the agent and starts one per core, and their log', () => {
    const { status, stderr, calls, read } = boot();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(calls).toContain('aws s3 cp --region eu-west-1 s3://assets/0a1b.mjs /opt/prewarm/agent.mjs');
    expect(calls).toContain('systemctl enable --now prewarm-log.service');
    expect(calls.at(-1)).toBe('systemctl enable --now prewarm-agent@1.service prewarm-agent@2.service');
    expect(read('etc/prewarm/log.env')).toBe('UNITS=--unit=prewarm-agent@1.service --unit=prewarm-agent@2.service\n');
  });

  test('tells the agents their environment as it is', () => {
    const { read } = boot();
    const told = 'AWS_REGION=eu-west-1\nPREWARM_BUCKET=lists\nPREWARM_TASK_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/1/q?a=$HOME\n';
    expect(read('etc/prewarm/agent.env')).toBe(told);
  });

  test('sends the log of the agents and of the boot to the log group', () => {
    const { read, calls } = boot();
    expect(calls.some((call) => call.startsWith('amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:'))).toBe(true);
    const config = JSON.parse(read('etc/prewarm/cloudwatch.json')) as {
      logs: { logs_collected: { files: { collect_list: readonly { log_group_name: string; log_stream_name: string }[] } } };
    };
    const collected = config.logs.logs_collected.files.collect_list;
    expect(collected.map(({ log_group_name: group, log_stream_name: stream }) => `${group} ${stream}`)).toEqual([
      '/prewarm/prod/agents {instance_id}/agents',
      '/prewarm/prod/agents {instance_id}/boot',
    ]);
  });

  test.each(['dnf', 'aws'])('powers the instance off where %s never works, after trying for a while', (name) => {
    const { status, calls } = boot(name);
    expect(status).not.toBe(0);
    expect(calls.filter((call) => call.startsWith(`${name} `))).toHaveLength(5);
    expect(calls.filter((call) => call.startsWith('systemctl'))).toEqual(['systemctl poweroff']);
  });

  test('starts the agents where their log cannot leave the instance', () => {
    expect(boot('amazon-cloudwatch-agent-ctl').calls.at(-1)).toMatch(/^systemctl enable --now prewarm-agent@1/);
  });

  test('holds units that systemd takes', ({ skip }) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) skip('systemd-analyze is not there');
    const { root } = boot();
    const dir = join(root, 'etc/systemd/system');
    // Programs that are not here are beside the point.
    for (const name of readdirSync(dir)) {
      const unit = readFileSync(join(dir, name), 'utf8').replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true');
      writeFileSync(join(dir, name), unit.replaceAll(root, ''));
    }
    const units = ['prewarm-agent@1.service', 'prewarm-log.service'].map((name) => join(dir, name));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
