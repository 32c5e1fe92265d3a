import { AGENT_NODE_FLAGS } from '../../deployment/agent-node-flags.ts';
import { SYSTEMD_HARDENING } from '../shared/ec2.ts';

export interface AgentUserDataProps {
  readonly region: string;
  /** Where the bundled agent is. */
  readonly bundleBucket: string;
  readonly bundleKey: string;
  /** What the agents' journal and the boot's output go to; it is there before. */
  readonly logGroupName: string;
  /** The agents' environment: names to values without line breaks. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Of the distribution itself, but for the Node.js: its command of a version's own name stays what it is, whatever else is installed. */
const PACKAGES = 'nodejs24 amazon-cloudwatch-agent logrotate';
const NODE = '/usr/bin/node-24';

/**
 * The script that turns a new Amazon Linux 2023 instance into agents, one process per core. It may hold tokens.
 * An instance on which it fails, or whose agents do not stay up, powers itself off, so that its group replaces it; the log group and the
 * console's output tell why.
 */
export function createAgentUserData(props: AgentUserDataProps): string {
  return [
    '#!/bin/bash',
    'set -Eeuo pipefail',
    giveUp(props),
    'trap give_up ERR',
    RETRY,
    `retry dnf install -y --setopt=install_weak_deps=False ${PACKAGES}`,
    'id prewarm > /dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin prewarm',
    'mkdir -p /etc/prewarm /opt/prewarm /var/log/prewarm',
    `retry aws s3 cp --region '${props.region}' 's3://${props.bundleBucket}/${props.bundleKey}' /opt/prewarm/agent.mjs`,
    'chmod 0644 /opt/prewarm/agent.mjs',
    `${NODE} --check /opt/prewarm/agent.mjs`,
    writeFile('/etc/prewarm/agent.env', environmentFile(props)),
    writeFile('/etc/systemd/system/prewarm-agent@.service', AGENT_UNIT),
    NAME_UNITS,
    LIMIT_MEMORY,
    writeFile('/etc/systemd/system/prewarm-log.service', LOG_UNIT),
    writeFile('/etc/logrotate.d/prewarm', LOG_ROTATION),
    writeFile('/etc/prewarm/cloudwatch.json', cloudWatchConfig(props)),
    'systemctl daemon-reload',
    'systemctl enable --now prewarm-log.service',
    'systemctl enable --now logrotate.timer || echo "logs are not rotated" >&2',
    // The agents work without their log too.
    `${CLOUDWATCH_CTL} -a fetch-config -m ec2 -s -c file:/etc/prewarm/cloudwatch.json || echo "no log reaches CloudWatch" >&2`,
    START_UNITS,
    CHECK_UNITS,
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

/**
 * Long enough for the second restart of an agent that dies at once, which systemd tries again every 5 s: such an instance would look healthy
 * for ever. Of several units, systemctl would ask for one that is active only.
 */
const CHECK_UNITS = `sleep 15
for unit in "\${units[@]}"; do
  systemctl is-active --quiet "$unit"
  restarts=$(systemctl show --property=NRestarts --value "$unit")
  [[ "\${restarts:-0}" -lt 2 ]]
done`;

/** What the system itself takes stays free; of the rest each agent has its share, in which the kernel counts its sockets' buffers. */
const LIMIT_MEMORY = `memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
limit=$(( (memory - 700) / \${#units[@]} ))
if [[ "$limit" -lt 256 ]]; then limit=256; fi
mkdir -p /etc/systemd/system/prewarm-agent@.service.d
printf '[Service]\\nMemoryMax=%sM\\n' "$limit" > /etc/systemd/system/prewarm-agent@.service.d/memory.conf`;

/**
 * The CloudWatch agent may not be there yet, so that the script sends its last words itself, with what the image has. Nothing in it
 * may keep the instance from powering off.
 */
function giveUp({ region, logGroupName }: AgentUserDataProps): string {
  const logs = `timeout 60 aws logs --region '${region}' --cli-connect-timeout 10`;
  const stream = `--log-group-name '${logGroupName}' --log-stream-name "$stream"`;
  return `give_up() {
  trap - ERR
  set +e
  echo "the agent could not be set up; see above" >&2
  stream="$(cat /var/lib/cloud/data/instance-id || hostname)/failed-boot"
  { tail -c 50000 /var/log/cloud-init-output.log; journalctl --boot --output=cat --lines=100 --unit='prewarm-agent@*'; } 2>&1 |
    python3 -c 'import json, sys, time
text = sys.stdin.buffer.read().decode("utf-8", "replace") or "nothing was written"
print(json.dumps([{"timestamp": int(time.time() * 1000), "message": text}]))' > /var/log/failed-boot.json
  ${logs} create-log-stream ${stream}
  ${logs} put-log-events ${stream} --log-events file:///var/log/failed-boot.json
  systemctl poweroff
  exit 1
}`;
}

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
ExecStart=${NODE} ${AGENT_NODE_FLAGS.join(' ')} /opt/prewarm/agent.mjs
Restart=always
RestartSec=5
KillSignal=SIGTERM
TimeoutStopSec=30
LimitNOFILE=65536
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
