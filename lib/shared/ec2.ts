import { CfnCondition, CfnParameter, Fn, type Stack } from 'aws-cdk-lib';
import { MachineImage, OperatingSystemType } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';

/** The availability zones of a network: those which the parameter names, or else the region's first. */
export interface Zones {
  /** True where the parameter names at least so many (1: any at all). */
  isGiven(count: number): CfnCondition;
  /** The zone at this place (from 1), as a token: the named one, or else the region's own at that place. */
  at(place: number): string;
  /** The named zone at this place (from 1), as a token; the empty string where there is none. */
  named(place: number): string;
}

/** A network has subnets for so many zones: no region has more. */
export const MOST_ZONES = 6;

/** The parameter `Zones`, empty unless it is set. Behind its end the list is filled up with empty names. */
export function createZones(stack: Stack, description: string): Zones {
  const parameter = new CfnParameter(stack, 'Zones', { type: 'CommaDelimitedList', default: '', description });
  const names = Fn.split(',', Fn.join(',', [Fn.join(',', parameter.valueAsList), ','.repeat(MOST_ZONES)]), 2 * MOST_ZONES);
  const conditions = new Map<number, CfnCondition>();
  const named = (place: number) => {
    const name = names[place - 1];
    if (name === undefined) throw new Error(`there is no zone ${place}`);
    return name;
  };
  const isGiven = (count: number) => {
    const condition =
      conditions.get(count) ??
      new CfnCondition(stack, `HasZone${count}`, { expression: Fn.conditionNot(Fn.conditionEquals(named(count), '')) });
    conditions.set(count, condition);
    return condition;
  };
  return {
    named,
    isGiven,
    at: (place) => Fn.conditionIf(isGiven(1).logicalId, named(place), Fn.select(place - 1, Fn.getAzs())).toString(),
  };
}

/** Follows the distribution's own choice of a kernel; the CDK names one that will go out of support. */
const LATEST = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64';

/** The id of the newest Amazon Linux 2023 for arm64, as of the deploy. */
export function latestAmazonLinux(scope: Construct): string {
  return MachineImage.fromSsmParameter(LATEST, { os: OperatingSystemType.LINUX }).getImage(scope).imageId;
}

/** What a service of ours on an instance is kept from, as lines of a unit's `[Service]` section. */
export const SYSTEMD_HARDENING = `UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX`;
