import { SYSTEMD_HARDENING } from '../shared/ec2.ts';

export interface TimeServiceUserDataProps {
  readonly region: string;
  /** Where the service's one file is. */
  readonly codeBucket: string;
  readonly codeKey: string;
  /** ARN of the secret with chain and key; the empty string: HTTP. */
  readonly certificateSecret: string;
  /** Who waits to hear that the service is up. */
  readonly stackName: string;
  readonly instanceLogicalId: string;
}

/** Of the distribution itself: its command of a version's own name stays what it is. */
const NODE = '/usr/bin/node-24';

const BOUNDARY = '==CURRENT-TIME==';

/**
 * What turns an Amazon Linux 2023 instance into the current-time service. It may hold tokens. cloud-init runs a script at an instance's
 * first start only, unless it is told otherwise; CloudFormation changes user data by stopping and starting the instance, so that without
 * that another secret would never be read.
 */
export function createTimeServiceUserData(props: TimeServiceUserDataProps): string {
  return `Content-Type: multipart/mixed; boundary="${BOUNDARY}"
MIME-Version: 1.0

--${BOUNDARY}
Content-Type: text/cloud-config; charset="us-ascii"

#cloud-config
cloud_final_modules:
- [scripts-user, always]

--${BOUNDARY}
Content-Type: text/x-shellscript; charset="us-ascii"

${createScript(props)}
--${BOUNDARY}--
`;
}

/** Tells CloudFormation, which listens while it makes the instance and at no later start; and the console, which is there always. */
function reporting({ region, stackName, instanceLogicalId }: TimeServiceUserDataProps): string {
  return `report() {
  echo "current-time: $2"
  /opt/aws/bin/cfn-signal --region '${region}' --stack '${stackName}' --resource '${instanceLogicalId}' --exit-code "$1" --reason "\${2:0:400}" ||
    echo "CloudFormation does not wait for this start" >&2
}
give_up() {
  trap - ERR
  report 1 "$1"
  exit 1
}
trap 'give_up "line $LINENO of the user data failed: $BASH_COMMAND"' ERR`;
}

/** As CloudFront will ask, but from this machine, whose name is not in the certificate. */
function waitForAnswer(certificateSecret: string): string {
  return `url=http://127.0.0.1/time
[[ -n '${certificateSecret}' ]] && url=https://127.0.0.1/time
for pause in 1 2 3 5 5 10 10 0; do
  curl --silent --fail --insecure --max-time 5 --output /dev/null "$url" && break
  sleep "$pause"
done
curl --silent --fail --insecure --max-time 5 --output /dev/null "$url" ||
  give_up "no answer at $url; the service says: $(journalctl --unit=current-time --output=cat --lines=5 | tr '\\n' ' ')"
report 0 "answers at $url"`;
}

const INSTALL_UNIT = `cat > /etc/systemd/system/current-time.service <<'END_OF_FILE'
[Unit]
Description=Current time, as an origin
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=current-time
RuntimeDirectory=current-time
ExecStartPre=+/opt/current-time/read-certificate
ExecStart=/opt/current-time/start
Restart=always
RestartSec=5
LimitNOFILE=16384
MemoryMax=256M
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
${SYSTEMD_HARDENING}

[Install]
WantedBy=multi-user.target
END_OF_FILE`;

/** Writes what the service runs before its start, and its start. */
function installPrograms({ region, certificateSecret }: TimeServiceUserDataProps): string {
  return `cat > /opt/current-time/read-certificate <<'END_OF_FILE'
#!/bin/bash
set -euo pipefail
secret='${certificateSecret}'
umask 0077
rm -f /run/current-time/tls
[[ -z "$secret" ]] && exit 0
aws secretsmanager get-secret-value --region '${region}' --secret-id "$secret" --query SecretString --output text > /run/current-time/tls
chown current-time: /run/current-time/tls
END_OF_FILE
chmod 0755 /opt/current-time/read-certificate
cat > /opt/current-time/start <<'END_OF_FILE'
#!/bin/bash
set -euo pipefail
[[ -e /run/current-time/tls ]] && export TLS_PEM_FILE=/run/current-time/tls
exec ${NODE} --max-old-space-size=96 /opt/current-time/current-time.mjs
END_OF_FILE
chmod 0755 /opt/current-time/start`;
}

/**
 * The certificate is read from its secret at every start of the service into memory-backed storage, and never onto the disk. The script
 * may be run again at any time.
 */
function createScript(props: TimeServiceUserDataProps): string {
  const { region, codeBucket, codeKey, certificateSecret } = props;
  return `#!/bin/bash
set -Eeuo pipefail
${reporting(props)}
retry() {
  for pause in 2 5 15 30; do
    "$@" && return 0
    sleep "$pause"
  done
  "$@"
}
# Within the 512 MiB of the smallest instance, installing packages is killed for want of memory. XFS wants no holes in it: dd, not fallocate.
if [[ ! -e /swapfile ]]; then
  dd if=/dev/zero of=/swapfile bs=1M count=1024 status=none
  chmod 0600 /swapfile
  mkswap /swapfile > /dev/null
fi
swapon --show=NAME --noheadings | grep -qx /swapfile || swapon /swapfile
[[ -x ${NODE} ]] || retry dnf install -y --setopt=install_weak_deps=False nodejs24
mkdir -p /opt/current-time
retry aws s3 cp --region '${region}' 's3://${codeBucket}/${codeKey}' /opt/current-time/current-time.mjs
chmod 0644 /opt/current-time/current-time.mjs
${installPrograms(props)}
id current-time > /dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin current-time
${INSTALL_UNIT}
systemctl daemon-reload
systemctl enable current-time.service
systemctl restart current-time.service
${waitForAnswer(certificateSecret)}
`;
}
