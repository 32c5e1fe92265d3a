import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CfnCondition, Fn, Stack, Token } from 'aws-cdk-lib';
import {
  CfnEIP,
  CfnEIPAssociation,
  CfnInstance,
  CfnSecurityGroup,
  type CfnSubnet,
  IpAddresses,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { CfnInstanceProfile, CfnPolicy, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { latestAmazonLinux } from '../shared/ec2.ts';
import { createTimeServiceUserData } from './time-service-user-data.ts';

export interface TimeServiceProps {
  /** The availability zone of the instance. */
  readonly zone: string;
  /** Of CloudFront's origin-facing servers. */
  readonly prefixListId: string;
  /** ARN of the secret with chain and key; may be the empty string. */
  readonly certificateSecret: string;
  /** Whether there is a certificate, so that the service speaks HTTPS at 443; else HTTP at 80. */
  readonly hasCertificate: CfnCondition;
}

const SERVICE = fileURLToPath(new URL('./current-time.mjs', import.meta.url));
const HTTP = 80;
const HTTPS = 443;
/** Packages take it two to three minutes; a download that hangs is tried again. */
const UP_WITHIN = 'PT10M';

interface Instances {
  readonly encrypted: CfnInstance;
  readonly plain: CfnInstance;
}

interface InstanceProps {
  readonly vpc: Vpc;
  readonly group: CfnSecurityGroup;
  readonly profile: CfnInstanceProfile;
  readonly code: Asset;
  readonly certificateSecret: string;
}

/** The current-time service on one small instance, whose address stays the same, and which nobody reaches but CloudFront. */
export class TimeService extends Construct {
  readonly address: string;
  /** The address's public name. */
  readonly hostName: string;

  constructor(scope: Construct, id: string, props: TimeServiceProps) {
    super(scope, id);
    const vpc = this.createVpc(props.zone);
    const group = this.createGroup(vpc, props);
    const { encrypted, plain } = this.createInstances(vpc, group, props);
    const address = new CfnEIP(this, 'Address', { domain: 'vpc' });
    const route = vpc.publicSubnets[0]?.internetConnectivityEstablished;
    // The instance fetches its program at its first start; and while it has an address, its way out cannot be removed.
    if (route !== undefined) for (const each of [address, encrypted, plain]) each.node.addDependency(route);
    const instanceId = Fn.conditionIf(props.hasCertificate.logicalId, encrypted.ref, plain.ref).toString();
    new CfnEIPAssociation(this, 'AddressOfInstance', { allocationId: address.attrAllocationId, instanceId });
    this.address = address.ref;
    this.hostName = this.publicName(address.ref);
  }

  private createVpc(zone: string): Vpc {
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.84.0.0/24'),
      natGateways: 0,
      maxAzs: 1,
      subnetConfiguration: [{ name: 'origin', subnetType: SubnetType.PUBLIC, cidrMask: 26 }],
      // Emptying it takes a function and a role that may change security groups. Nothing is ever put into it.
      restrictDefaultSecurityGroup: false,
    });
    for (const subnet of vpc.publicSubnets) (subnet.node.defaultChild as CfnSubnet).addPropertyOverride('AvailabilityZone', zone);
    NagSuppressions.addResourceSuppressions(vpc, [
      { id: 'AwsSolutions-VPC7', reason: 'One instance for trials, which answers the time to CloudFront and to nobody else.' },
    ]);
    return vpc;
  }

  /** One rule: the prefix list takes 55 of the 60 that a group may have. */
  private createGroup(vpc: Vpc, { prefixListId, hasCertificate }: TimeServiceProps): CfnSecurityGroup {
    const port = Token.asNumber(Fn.conditionIf(hasCertificate.logicalId, HTTPS, HTTP));
    const out = (to: number, description: string) => ({ ipProtocol: 'tcp', fromPort: to, toPort: to, cidrIp: '0.0.0.0/0', description });
    return new CfnSecurityGroup(this, 'Group', {
      vpcId: vpc.vpcId,
      groupDescription: 'Current-time service: CloudFront in, packages and AWS out',
      securityGroupIngress: [
        { ipProtocol: 'tcp', fromPort: port, toPort: port, sourcePrefixListId: prefixListId, description: 'CloudFront, to the origin' },
      ],
      securityGroupEgress: [out(HTTP, 'packages'), out(HTTPS, 'packages, S3 and the secret')],
    });
  }

  private createRole(code: Asset, { certificateSecret, hasCertificate }: TimeServiceProps): Role {
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      description: 'What the instance of the current-time service may do',
    });
    role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: [code.bucket.arnForObjects(code.s3ObjectKey)] }));
    const read = new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [certificateSecret] });
    const policy = new CfnPolicy(this, 'ReadCertificate', {
      policyName: 'read-certificate',
      policyDocument: new PolicyDocument({ statements: [read] }),
      roles: [role.roleName],
    });
    policy.cfnOptions.condition = hasCertificate;
    return role;
  }

  /**
   * One of them is made: with a certificate, or without. To go from one to the other makes a new instance, for whose service the stack
   * waits; where it does not come up, the update is rolled back with the reason, and the old one goes on.
   */
  private createInstances(vpc: Vpc, group: CfnSecurityGroup, props: TimeServiceProps): Instances {
    const code = new Asset(this, 'Code', { path: SERVICE });
    const role = this.createRole(code, props);
    const profile = new CfnInstanceProfile(this, 'Profile', { roles: [role.roleName] });
    // Another script, or another file, is another instance: the stack waits for new ones only.
    const version = createHash('sha256')
      .update(`${code.assetHash} ${createTimeServiceUserData(TEXTS)}`)
      .digest('hex')
      .slice(0, 8);
    const isPlain = new CfnCondition(this, 'IsPlain', { expression: Fn.conditionNot(props.hasCertificate) });
    const create = (id: string, condition: CfnCondition, certificateSecret: string) => {
      const instance = this.createInstance(`${id}${version}`, { vpc, group, profile, code, certificateSecret });
      instance.cfnOptions.condition = condition;
      instance.node.addDependency(role.node.findChild('DefaultPolicy'));
      return instance;
    };
    const encrypted = create('Encrypted', props.hasCertificate, props.certificateSecret);
    encrypted.node.addDependency(this.node.findChild('ReadCertificate'));
    return { encrypted, plain: create('Plain', isPlain, '') };
  }

  private createInstance(id: string, { vpc, group, profile, code, certificateSecret }: InstanceProps): CfnInstance {
    const { region, stackId } = Stack.of(this);
    const instance = new CfnInstance(this, id, {
      imageId: latestAmazonLinux(this),
      instanceType: 't4g.nano',
      subnetId: vpc.publicSubnets[0]?.subnetId ?? '',
      securityGroupIds: [group.attrGroupId],
      iamInstanceProfile: profile.ref,
      metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
      blockDeviceMappings: [
        { deviceName: '/dev/xvda', ebs: { volumeType: 'gp3', volumeSize: 8, encrypted: true, deleteOnTermination: true } },
      ],
      tags: [{ key: 'Name', value: 'prewarm-current-time' }],
    });
    instance.userData = Fn.base64(
      createTimeServiceUserData({
        region,
        codeBucket: code.s3BucketName,
        codeKey: code.s3ObjectKey,
        certificateSecret,
        stackName: stackId,
        instanceLogicalId: Stack.of(this).getLogicalId(instance),
      }),
    );
    instance.cfnOptions.creationPolicy = { resourceSignal: { count: 1, timeout: UP_WITHIN } };
    NagSuppressions.addResourceSuppressions(instance, [
      { id: 'AwsSolutions-EC28', reason: 'An instance for trials: whoever tries it looks at its answers.' },
      { id: 'AwsSolutions-EC29', reason: 'It holds nothing, and removing the stack has to remove it.' },
    ]);
    return instance;
  }

  /** AWS names public addresses by themselves: ec2-192-0-2-1.eu-west-1.compute.amazonaws.com. */
  private publicName(address: string): string {
    const stack = Stack.of(this);
    const isFirst = new CfnCondition(this, 'InFirstRegion', { expression: Fn.conditionEquals(stack.region, 'us-east-1') });
    const zone = Fn.conditionIf(isFirst.logicalId, 'compute-1', Fn.join('.', [stack.region, 'compute'])).toString();
    return Fn.join('', ['ec2-', Fn.join('-', Fn.split('.', address, 4)), '.', zone, '.', stack.urlSuffix]);
  }
}

/** Stand in for tokens where only the script itself matters. */
const TEXTS = { region: '', codeBucket: '', codeKey: '', certificateSecret: '', stackName: '', instanceLogicalId: '' };
