import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAgentUserData } from '../../../lib/prewarm/agent-user-data.ts';

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
[ "$name $1" = "\${FAIL_AT:-}" ] && exit 1
[ "$name $1" = "systemctl show" ] && echo "\${RESTARTS:-0}"
exit 0
`;
const COMMANDS = ['dnf', 'aws', 'systemctl', 'useradd', 'id', 'nproc', 'sleep', 'poweroff', 'journalctl', 'node-24'];

/** Runs the script with a folder for the root of the file system, and nothing that it would install. */
function boot(fail = '', more: Readonly<Record<string, string>> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'prewarm-boot-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const dir of [
    'bin',
    'etc/systemd/system',
    'etc/logrotate.d',
    'opt/prewarm',
    'opt/aws/amazon-cloudwatch-agent/bin',
    'var/log',
    'var/lib/cloud/data',
    'proc',
  ])
    mkdirSync(join(root, dir), { recursive: true });
  const stubs = [...COMMANDS.map((name) => `bin/${name}`), 'opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl'];
  for (const stub of stubs) writeFileSync(join(root, stub), STUB, { mode: 0o755 });
  // What `aws s3 cp` would have brought.
  writeFileSync(join(root, 'opt/prewarm/agent.mjs'), '');
  writeFileSync(join(root, 'var/lib/cloud/data/instance-id'), 'i-0abc\n');
  writeFileSync(join(root, 'var/log/cloud-init-output.log'), 'a line with a "quote"\n');
  writeFileSync(join(root, 'proc/meminfo'), `MemTotal:        ${more['MEMORY_KB'] ?? '8000000'} kB\nMemFree: 1 kB\n`);
  const script = SCRIPT.replaceAll(/(?<=[\s:]|file:\/\/)\/(etc|opt|var|proc)\//g, `${root}/$1/`).replaceAll(
    '/usr/bin/node-24 --check',
    'node-24 --check',
  );
  const calls = join(root, 'calls');
  writeFileSync(calls, '');
  const env = { PATH: `${root}/bin:/usr/bin:/bin`, CALLS: calls, FAIL: fail, ...more };
  const { status, stderr } = spawnSync('bash', ['--norc', '-c', script], { env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  return { root, status, stderr, read, calls: readFileSync(calls, 'utf8').replaceAll(root, '').split('\n').filter(Boolean) };
}

describe('the user data of an instance', () => {
  test('the user data fetches the agent and starts one per core, and their log', () => {
    const { status, stderr, calls, read } = boot();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(calls).toContain('aws s3 cp --region eu-west-1 s3://assets/0a1b.mjs /opt/prewarm/agent.mjs');
    expect(calls).toContain('systemctl enable --now prewarm-log.service');
    expect(calls).toContain('systemctl enable --now prewarm-agent@1.service prewarm-agent@2.service');
    expect(calls).not.toContain('systemctl poweroff');
    expect(read('etc/prewarm/log.env')).toBe('UNITS=--unit=prewarm-agent@1.service --unit=prewarm-agent@2.service\n');
  });

  test('the user data hands the environment to the agents as it is', () => {
    const { read } = boot();
    const told = 'AWS_REGION=eu-west-1\nPREWARM_BUCKET=lists\nPREWARM_TASK_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/1/q?a=$HOME\n';
    expect(read('etc/prewarm/agent.env')).toBe(told);
  });

  test('the user data sends the log of the agents and of the boot to the log group', () => {
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

  test.each(['dnf', 'aws'])('the user data powers the instance off where %s never works, after trying for a while', (name) => {
    const { status, calls } = boot(name);
    expect(status).not.toBe(0);
    expect(calls.filter((call) => call.startsWith(`${name} `) && !call.startsWith('aws logs'))).toHaveLength(5);
    expect(calls.filter((call) => call.startsWith('systemctl'))).toEqual(['systemctl poweroff']);
    expect(calls.at(-1)).toBe('systemctl poweroff');
  });

  test.each([
    ['a program that Node.js cannot read', { FAIL_AT: 'node-24 --check' }],
    ['an agent that is not up after a while', { FAIL_AT: 'systemctl is-active' }],
    ['an agent that died again and again in that while', { RESTARTS: '2' }],
  ])('the user data powers the instance off for %s, and leaves a log that does not need the CloudWatch agent', (_what, fault) => {
    const { status, calls, read } = boot('', fault);
    expect(status).not.toBe(0);
    const options = '--region eu-west-1 --cli-connect-timeout 10';
    const stream = '--log-group-name /prewarm/prod/agents --log-stream-name i-0abc/failed-boot';
    expect(calls.slice(-3)).toEqual([
      `aws logs ${options} create-log-stream ${stream}`,
      `aws logs ${options} put-log-events ${stream} --log-events file:///var/log/failed-boot.json`,
      'systemctl poweroff',
    ]);
    const events = JSON.parse(read('var/log/failed-boot.json')) as { timestamp: number; message: string }[];
    expect(events).toEqual([{ timestamp: expect.any(Number), message: expect.stringContaining('a line with a "quote"') }]);
  });

  test('the user data goes on with an agent that was started again once, and looks at each of them', () => {
    const { status, calls } = boot('', { RESTARTS: '1' });
    expect(status).toBe(0);
    expect(calls.filter((call) => call.startsWith('systemctl is-active'))).toEqual([
      'systemctl is-active --quiet prewarm-agent@1.service',
      'systemctl is-active --quiet prewarm-agent@2.service',
    ]);
  });

  test.each([
    ['8000000', 3556],
    ['1900000', 577],
    ['900000', 256],
  ])('the user data gives the two agents of an instance with %s kB their share of its memory: %i MB', (MEMORY_KB, limit) => {
    const { read } = boot('', { MEMORY_KB });
    expect(read('etc/systemd/system/prewarm-agent@.service.d/memory.conf')).toBe(`[Service]\nMemoryMax=${limit}M\n`);
  });

  test('the user data rotates the log, and works where it cannot', () => {
    expect(boot().calls).toContain('systemctl enable --now logrotate.timer');
  });

  test('the user data is well below what EC2 takes', () => {
    expect(Buffer.byteLength(SCRIPT)).toBeLessThan(12_000);
  });

  test('the user data starts the agents where their log cannot leave the instance', () => {
    const { status, calls } = boot('amazon-cloudwatch-agent-ctl');
    expect(status).toBe(0);
    expect(calls).toContain('systemctl enable --now prewarm-agent@1.service prewarm-agent@2.service');
  });

  test('the user data holds units that systemd takes', ({ skip }) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) skip('systemd-analyze is not there');
    const { root } = boot();
    const dir = join(root, 'etc/systemd/system');
    // Programs that are not here are beside the point.
    for (const name of readdirSync(dir).filter((file) => file.endsWith('.service'))) {
      const unit = readFileSync(join(dir, name), 'utf8').replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true');
      writeFileSync(join(dir, name), unit.replaceAll(root, ''));
    }
    const units = ['prewarm-agent@1.service', 'prewarm-log.service'].map((name) => join(dir, name));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
