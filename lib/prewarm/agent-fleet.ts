import { fileURLToPath } from 'node:url';
import { AssetHashType, BundlingOutput, CfnCondition, CustomResource, DockerImage, Duration, Fn } from 'aws-cdk-lib';
import { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling';
import { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2';
import { CfnInstanceProfile, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { AgentPlacement } from './agent-network.ts';
import { latestAmazonLinux } from '../shared/ec2.ts';
import { buildAgentBundle } from '../../packaging/agent-bundle.ts';
import { onAgentRows, onGroups, onQueue, onTable, readObjects, type SystemResources, writeResults } from './permissions.ts';
import { explainWildcards } from '../shared/wildcard-reasons.ts';

interface AgentRoleProps {
  readonly resources: SystemResources;
  /** The program, which a new instance fetches. */
  readonly bundle: Asset;
  /** Where the instances' journals go. */
  readonly logGroup: LogGroup;
}

/** The role of the agents' instances: what an agent does, its log, and Session Manager for people, who have no SSH. */
export function createAgentRole(scope: Construct, id: string, { resources, bundle, logGroup }: AgentRoleProps): Role {
  const { tables, bucket, queues, envName } = resources;
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
    description: `What the agents of the environment ${envName} may do`,
  });
  const statements = [
    onTable(tables.requests, 'GetItem'),
    onAgentRows(tables.pops, 'PutItem', 'DeleteItem'),
    onTable(tables.tasks, 'GetItem', 'PutItem'),
    // Without `s3:ListBucket`: an agent may read headers whose name a task told it, and must not find out the names of others.
    readObjects(bucket, 'requests', 'headers'),
    writeResults(bucket),
    onQueue(queues.tasks, 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'SendMessage'),
    onGroups(scope, resources, 'SetInstanceProtection'),
    new PolicyStatement({ actions: ['s3:GetObject'], resources: [bundle.bucket.arnForObjects(bundle.s3ObjectKey)] }),
    new PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
      resources: [logGroup.logGroupArn],
    }),
    new PolicyStatement({
      actions: [
        'ssm:UpdateInstanceInformation',
        'ssmmessages:CreateControlChannel',
        'ssmmessages:CreateDataChannel',
        'ssmmessages:OpenControlChannel',
        'ssmmessages:OpenDataChannel',
      ],
      resources: ['*'],
    }),
  ];
  for (const statement of statements) role.addToPolicy(statement);
  explainWildcards(role, statements);
  return role;
}

export interface AgentFleetProps {
  /** `prewarm_asg_<envName>`: the group of Spot instances. Users' scripts rely on the name. */
  readonly groupName: string;
  /** The group that takes what Spot does not deliver. */
  readonly onDemandGroupName: string;
  /** The preferred type, such as `m6g.large`. A parameter. */
  readonly instanceType: string;
  /** However much is claimed, no more instances than this. A parameter. */
  readonly maxInstances: string;
  readonly placement: AgentPlacement;
  /** What the agents may do. */
  readonly role: Role;
  /** The script that turns a new instance of the group into an agent. */
  readonly userDataOf: (groupName: string) => string;
}

interface Launch extends AgentFleetProps {
  readonly profileArn: string;
  readonly imageId: string;
}

/** What both groups have in common. */
function shared({ maxInstances, placement }: AgentFleetProps, groupName: string) {
  return {
    autoScalingGroupName: groupName,
    minSize: '0',
    maxSize: maxInstances,
    // No desired capacity: a new group starts at its minimum, 0, and a later deploy must not reset one that is at work.
    vpcZoneIdentifier: placement.subnetIds,
    metricsCollection: [{ granularity: '1Minute', metrics: ['GroupDesiredCapacity', 'GroupInServiceInstances'] }],
    tags: [{ key: 'Name', value: groupName, propagateAtLaunch: true }],
  };
}

/**
 * What may stand in for the chosen type: found in every region, in all of the sizes. A group that names a type which its region
 * does not have may be refused as a whole, so that c6gn, c6gd, c7g and m7g are not among them: some regions lack them.
 */
const STAND_INS = ['m6g', 'c6g', 'r6g', 'm6gd', 'r7g'];
const SIZES = ['medium', 'large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge'];

/**
 * The agents' instances: Spot, on demand what Spot does not deliver, and none at rest. How many there are is nobody's business here: `reconcileFleet` sets the
 * capacity from the claims of active requests, and agents protect themselves from scaling in while they work.
 */
export class AgentFleet extends Construct {
  constructor(scope: Construct, id: string, props: AgentFleetProps) {
    super(scope, id);
    const profile = new CfnInstanceProfile(this, 'Profile', { roles: [props.role.roleName] });
    const launch = { ...props, profileArn: profile.attrArn, imageId: latestAmazonLinux(this) };
    this.createSpotGroup(props, this.createLaunchTemplate('Template', props.groupName, launch));
    this.createOnDemandGroup(props, this.createLaunchTemplate('OnDemandTemplate', props.onDemandGroupName, launch));
  }

  private createSpotGroup(props: AgentFleetProps, template: CfnLaunchTemplate): void {
    const group = new CfnAutoScalingGroup(this, 'Group', {
      ...shared(props, props.groupName),
      capacityRebalance: true,
      mixedInstancesPolicy: {
        instancesDistribution: {
          onDemandBaseCapacity: 0,
          onDemandPercentageAboveBaseCapacity: 0,
          // The only one that looks at the order of the types, as far as there is capacity.
          spotAllocationStrategy: 'capacity-optimized-prioritized',
        },
        launchTemplate: {
          launchTemplateSpecification: { launchTemplateId: template.ref, version: template.attrLatestVersionNumber },
          overrides: this.createOverrides(props.instanceType),
        },
      },
    });
    this.settle(group, props);
    NagSuppressions.addResourceSuppressions(group, [
      {
        id: 'CdkNagValidationFailure',
        reason:
          'AwsSolutions-EC26 cannot read overrides with conditions. The one disk of the launch template is encrypted, which a test asserts.',
      },
    ]);
  }

  /** A plain launch template: a group with a choice of types can have no warm pool. */
  private createOnDemandGroup(props: AgentFleetProps, template: CfnLaunchTemplate): void {
    const group = new CfnAutoScalingGroup(this, 'OnDemandGroup', {
      ...shared(props, props.onDemandGroupName),
      launchTemplate: { launchTemplateId: template.ref, version: template.attrLatestVersionNumber },
    });
    this.settle(group, props);
  }

  private settle(group: CfnAutoScalingGroup, props: AgentFleetProps): void {
    // An instance that booted before its role may do anything would fetch no program.
    group.node.addDependency(props.role.node.findChild('DefaultPolicy'));
    // Nor would one without a way out; and that cannot be removed while instances have public addresses.
    group.node.addDependency(...(props.placement.wayOut ?? []));
    // A reference makes it wait for what may not be there: a dependency by name may not lead to that.
    if (props.placement.conditionalWayOut !== undefined) group.addMetadata('WayOut', props.placement.conditionalWayOut);
    NagSuppressions.addResourceSuppressions(group, [
      {
        id: 'AwsSolutions-AS3',
        reason: 'Instances come and go with every request, which is no news; those that stay too long raise an alarm.',
      },
    ]);
  }

  /** Of its own for each group: the instance's agents have the name of the group that they are protected in. */
  private createLaunchTemplate(id: string, groupName: string, { placement, profileArn, imageId, ...props }: Launch): CfnLaunchTemplate {
    return new CfnLaunchTemplate(this, id, {
      launchTemplateData: {
        imageId,
        // The group of Spot instances has its own choice of types, which goes before this one.
        instanceType: props.instanceType,
        iamInstanceProfile: { arn: profileArn },
        securityGroupIds: placement.securityGroupIds,
        ...(placement.keyName === undefined ? {} : { keyName: placement.keyName }),
        // IMDSv2 only, and for the instance itself: a redirect or a container is one hop too far from the role's credentials.
        metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
        blockDeviceMappings: [
          { deviceName: '/dev/xvda', ebs: { volumeType: 'gp3', volumeSize: 8, encrypted: true, deleteOnTermination: true } },
        ],
        tagSpecifications: [{ resourceType: 'volume', tags: [{ key: 'Name', value: groupName }] }],
        userData: Fn.base64(props.userDataOf(groupName)),
      },
    });
  }

  /** The chosen type first, then the stand-ins of its size, but for the one that was chosen: a group with a type twice is refused. */
  private createOverrides(
    instanceType: string,
  ): (CfnAutoScalingGroup.LaunchTemplateOverridesProperty | ReturnType<typeof Fn.conditionIf>)[] {
    const chosenSize = Fn.select(1, Fn.split('.', instanceType));
    const small = new CfnCondition(this, 'SmallIsChosen', { expression: Fn.conditionEquals(instanceType, 't4g.small') });
    const size = Fn.conditionIf(small.logicalId, 'medium', chosenSize).toString();
    const standIns = STAND_INS.map((family) => {
      const chosen = new CfnCondition(this, `${family.toUpperCase()}IsChosen`, {
        expression: Fn.conditionOr(...SIZES.map((sold) => Fn.conditionEquals(instanceType, `${family}.${sold}`))),
      });
      return Fn.conditionIf(chosen.logicalId, { Ref: 'AWS::NoValue' }, { InstanceType: Fn.join('.', [family, size]) });
    });
    return [{ instanceType }, ...standIns];
  }
}

export interface FleetReleaseProps {
  readonly fleet: AgentFleet;
  /** Called before the group is deleted; does nothing when this is made. */
  readonly releaser: IFunction;
}

/**
 * CloudFormation does not delete a group while one of its instances is protected from scaling in, as busy agents are: it would wait for
 * an hour, and fail. So a function takes all protection back first.
 */
export class FleetRelease extends Construct {
  constructor(scope: Construct, id: string, { fleet, releaser }: FleetReleaseProps) {
    super(scope, id);
    const release = new CustomResource(this, 'Release', {
      serviceToken: releaser.functionArn,
      resourceType: 'Custom::FleetRelease',
      serviceTimeout: Duration.minutes(5),
    });
    release.node.addDependency(fleet);
  }
}

const AGENT = fileURLToPath(new URL('../../agent', import.meta.url));

/** The agent as one file beside the stack's other assets in S3, from where new instances fetch it. */
export function createAgentBundleAsset(scope: Construct, id: string): Asset {
  return new Asset(scope, id, {
    path: AGENT,
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never started.
      image: DockerImage.fromRegistry('unused'),
      outputType: BundlingOutput.SINGLE_FILE,
      local: {
        tryBundle(outdir) {
          buildAgentBundle(outdir);
          return true;
        },
      },
    },
  });
}
