import { SYSTEMD_HARDENING } from './systemd-hardening.ts';

export interface AgentUserDataProps {
  readonly region: string;
  /** Where the bundled agent is. */
  readonly bundleBucket: string;
  readonly bundleKey: string;
  /** What the agents' journal and the boot's output go to; it is there before. */
  readonly logGroupName: string;
  /** What the agents are told: names to values without line breaks. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Of the distribution itself, but for the Node.js: its command of a version's own name stays what it is, whatever else is installed. */
const PACKAGES = 'nodejs24 amazon-cloudwatch-agent logrotate';
const NODE = '/usr/bin/node-24';
/** V8's heap is kept small: what an agent needs grows with its sockets, not with the size of what it downloads. */
const NODE_FLAGS = '--max-semi-space-size=4 --max-old-space-size=64 --v8-pool-size=1';

/**
 * The script that turns a new Amazon Linux 2023 instance into agents, one process per core. It may hold tokens.
 * An instance on which it fails powers itself off, so that its group replaces it; the console's output tells why.
 */
export function createAgentUserData(props: AgentUserDataProps): string {
  return [
    '#!/bin/bash',
    'set -Eeuo pipefail',
    'trap \'echo "the agent could not be set up; see above" >&2; systemctl poweroff\' ERR',
    RETRY,
    `retry dnf install -y --setopt=install_weak_deps=False ${PACKAGES}`,
    'id prewarm > /dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin prewarm',
    'mkdir -p /etc/prewarm /opt/prewarm /var/log/prewarm',
    `retry aws s3 cp --region '${props.region}' 's3://${props.bundleBucket}/${props.bundleKey}' /opt/prewarm/agent.mjs`,
    'chmod 0644 /opt/prewarm/agent.mjs',
    writeFile('/etc/prewarm/agent.env', environmentFile(props)),
    writeFile('/etc/systemd/system/prewarm-agent@.service', AGENT_UNIT),
    NAME_UNITS,
    writeFile('/etc/systemd/system/prewarm-log.service', LOG_UNIT),
    writeFile('/etc/logrotate.d/prewarm', LOG_ROTATION),
    writeFile('/etc/prewarm/cloudwatch.json', cloudWatchConfig(props)),
    'systemctl daemon-reload',
    'systemctl enable --now prewarm-log.service',
    // The agents work without their log too.
    `${CLOUDWATCH_CTL} -a fetch-config -m ec2 -s -c file:/etc/prewarm/cloudwatch.json || echo "no log reaches CloudWatch" >&2`,
    START_UNITS,
    '',
  ].join('\n');
}

const RETRY = `retry() {
  for pause in 2 5 15 30; do
    "$@" && return 0
    sleep "$pause"
  done
  "$@"
}`;

const NAME_UNITS = `units=()
for number in $(seq 1 "$(nproc)"); do units+=("prewarm-agent@$number.service"); done
echo "UNITS=\${units[*]/#/--unit=}" > /etc/prewarm/log.env`;

const START_UNITS = `systemctl enable --now "\${units[@]}"`;

const CLOUDWATCH_CTL = '/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl';

/** As it is: nothing in it is expanded. */
function writeFile(path: string, text: string): string {
  return `cat > ${path} <<'END_OF_FILE'\n${text.trimEnd()}\nEND_OF_FILE`;
}

function environmentFile({ environment, region }: AgentUserDataProps): string {
  const variables = { AWS_REGION: region, ...environment };
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

/** The unit's number tells the agents of an instance apart; what lies in its runtime directory outlives each of them. */
const AGENT_UNIT = `[Unit]
Description=Pre-warming agent %i
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=prewarm
EnvironmentFile=/etc/prewarm/agent.env
Environment=PREWARM_AGENT_NUMBER=%i
Environment=PREWARM_BUSY_DIR=/run/prewarm
Environment=MALLOC_ARENA_MAX=1
ExecStart=${NODE} ${NODE_FLAGS} /opt/prewarm/agent.mjs
Restart=always
RestartSec=5
KillSignal=SIGTERM
TimeoutStopSec=30
LimitNOFILE=65536
MemoryMax=512M
RuntimeDirectory=prewarm
RuntimeDirectoryPreserve=yes
CapabilityBoundingSet=
${SYSTEMD_HARDENING}

[Install]
WantedBy=multi-user.target
`;

/**
 * The journal of the agents, what systemd says of them included, as a file: of the CloudWatch agents in use, not all read the
 * journal itself.
 */
const LOG_UNIT = `[Unit]
Description=Log of the pre-warming agents

[Service]
DynamicUser=yes
SupplementaryGroups=systemd-journal
StateDirectory=prewarm-log
EnvironmentFile=/etc/prewarm/log.env
ExecStart=/usr/bin/journalctl --follow --boot --lines=all --output=cat --cursor-file=/var/lib/prewarm-log/cursor $UNITS
StandardOutput=append:/var/log/prewarm/agent.log
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
`;

const LOG_ROTATION = `/var/log/prewarm/agent.log {
  size 50M
  rotate 1
  copytruncate
  missingok
}
`;

function cloudWatchConfig({ region, logGroupName }: AgentUserDataProps): string {
  const collected = (file: string, stream: string) => ({ file_path: file, log_group_name: logGroupName, log_stream_name: stream });
  const files = [
    collected('/var/log/prewarm/agent.log', '{instance_id}/agents'),
    collected('/var/log/cloud-init-output.log', '{instance_id}/boot'),
  ];
  return JSON.stringify({ agent: { region }, logs: { logs_collected: { files: { collect_list: files } } } }, null, 2);
}
