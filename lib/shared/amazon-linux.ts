import { MachineImage, OperatingSystemType } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';

/** Follows the distribution's own choice of a kernel; the CDK names one that will go out of support. */
const LATEST = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64';

/** The id of the newest Amazon Linux 2023 for arm64, as of the deploy. */
export function latestAmazonLinux(scope: Construct): string {
  return MachineImage.fromSsmParameter(LATEST, { os: OperatingSystemType.LINUX }).getImage(scope).imageId;
}
