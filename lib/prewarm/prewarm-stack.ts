import { type App, Aws, CfnCondition, CfnOutput, CfnParameter, CfnRule, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { AgentNetwork, type AgentPlacement } from './agent-network.ts';
import type { ApiAccess } from '../shared/deploy-context.ts';
import { createStackParameters, type StackParameters } from './stack-parameters.ts';
import { createZones } from '../shared/ec2.ts';
import { AgentFleet, createAgentBundleAsset, createAgentRole, FleetRelease } from './agent-fleet.ts';
import { createAgentUserData } from './agent-user-data.ts';
import { Alarms, Notifications } from './alarms.ts';
import { Functions } from './functions.ts';
import { ListBucket } from './list-bucket.ts';
import { MonitoringDashboard } from './monitoring-dashboard.ts';
import type { SystemResources } from './permissions.ts';
import { RequestApi } from './request-api.ts';
import { Schedules, Triggers } from './triggers.ts';
import { Tables } from './tables.ts';
import { TaskQueues } from './task-queues.ts';

interface SystemProps {
  readonly parameters: StackParameters;
  readonly placement: AgentPlacement;
  /** A parameter; the empty string leaves the API public. Absent: the API is public. */
  readonly vpcEndpointId?: string;
  /** Whether lists, results and rows outlive the stack. */
  readonly retainData: boolean;
  readonly access: ApiAccess;
}

/** Of the functions that size and plan: several of their shares, and little to wait for when one is killed. */
const SHARE_TIMEOUT = Duration.minutes(5);

/** Puts the whole system but its network into a stack. */
function composeSystem(stack: Stack, { parameters, placement, vpcEndpointId, retainData, access }: SystemProps): void {
  const { envName, alarmEmail, sharesAtOnce } = parameters;
  const resources: SystemResources = {
    envName,
    groupName: `prewarm_asg_${envName}`,
    onDemandGroupName: `prewarm_asg_${envName}_ondemand`,
    tables: new Tables(stack, 'Tables', { retainData }),
    bucket: new ListBucket(stack, 'Lists', { retainData }).bucket,
    queues: new TaskQueues(stack, 'Queues', { envName, shareTimeout: SHARE_TIMEOUT }),
    notifications: new Notifications(stack, 'Notifications', { envName, alarmEmail }),
    schedules: new Schedules(stack, 'Schedules', { envName }),
  };
  const fleet = addFleet(stack, resources, placement, parameters);

  const functions = new Functions(stack, 'Functions', { resources, parameters, shareTimeout: SHARE_TIMEOUT });
  new FleetRelease(stack, 'FleetRelease', { fleet, releaser: functions.shutdown.handler });
  new Triggers(stack, 'Triggers', { functions, resources, sharesAtOnce });
  const requestApi = new RequestApi(stack, 'RequestApi', {
    envName,
    handler: functions.api.handler,
    access,
    ...(vpcEndpointId === undefined ? {} : { vpcEndpointId }),
  });

  const watched = { envName, queues: resources.queues, functions: functions.all };
  const alarms = new Alarms(stack, 'Alarms', { ...watched, notifications: resources.notifications });
  const { url: dashboardUrl } = new MonitoringDashboard(stack, 'Monitoring', {
    ...watched,
    groupNames: [resources.groupName, resources.onDemandGroupName],
    api: requestApi.api,
    alarms,
  });
  addOutputs(stack, requestApi, dashboardUrl);
}

function addFleet(
  stack: Stack,
  resources: SystemResources,
  placement: AgentPlacement,
  { instanceType, maxInstances, threadNumber }: StackParameters,
): AgentFleet {
  const { envName, groupName, onDemandGroupName, tables, bucket, queues } = resources;
  const bundle = createAgentBundleAsset(stack, 'AgentBundle');
  const logGroup = new LogGroup(stack, 'AgentLog', {
    logGroupName: `/prewarm/${envName}/agents`,
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = createAgentRole(stack, 'AgentRole', { resources, bundle, logGroup });
  const userDataOf = (ownGroup: string) =>
    createAgentUserData({
      region: stack.region,
      bundleBucket: bundle.s3BucketName,
      bundleKey: bundle.s3ObjectKey,
      logGroupName: logGroup.logGroupName,
      environment: {
        PREWARM_REQUEST_TABLE: tables.requests.tableName,
        PREWARM_POP_TABLE: tables.pops.tableName,
        PREWARM_TASK_TABLE: tables.tasks.tableName,
        PREWARM_BUCKET: bucket.bucketName,
        PREWARM_TASK_QUEUE_URL: queues.tasks.queueUrl,
        PREWARM_GROUP_NAME: ownGroup,
        PREWARM_THREAD_NUMBER: threadNumber,
      },
    });
  return new AgentFleet(stack, 'Fleet', { groupName, onDemandGroupName, instanceType, maxInstances, placement, role, userDataOf });
}

/** The names are fixed: users' scripts read them. */
function addOutputs(stack: Stack, { key, url }: RequestApi, dashboardUrl: string): void {
  new CfnOutput(stack, 'prewarmapikeyoutput', { value: key.keyArn, description: "The ARN of the API's key" });
  new CfnOutput(stack, 'prewarmapiEndpoint', { value: url, description: "The API's base URL: append prewarm to it" });
  new CfnOutput(stack, 'PrewarmStatusApiEndpoint', { value: url, description: 'The same, where older clients look for it: append status' });
  new CfnOutput(stack, 'DashboardUrl', { value: dashboardUrl, description: 'The dashboard of requests, queue, instances and functions' });
  new CfnOutput(stack, 'ReadKeyCommand', {
    value: `aws apigateway get-api-key --region ${stack.region} --api-key ${key.keyId} --include-value --query value --output text`,
    description: "Prints the API's key",
  });
}

interface PrewarmStackProps {
  /** What the parameter `envName` is unless it is set. */
  readonly defaultEnvName: string;
  /** Whether lists, results and rows outlive the stack. */
  readonly retainData: boolean;
  readonly access: ApiAccess;
}

const ZONES =
  'One to six availability zones for the agents, as in eu-west-1a,eu-west-1b; empty: two of the region. Zones may be added at the end later; one that is in use keeps its place';

/** The system in a VPC of its own. */
export class PrewarmStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, retainData, access }: PrewarmStackProps) {
    super(app, id, { description: 'Pre-warms CloudFront: API, functions and agents, in a VPC of their own' });
    composeSystem(this, {
      parameters: createStackParameters(this, defaultEnvName),
      placement: new AgentNetwork(this, 'Network', createZones(this, ZONES)).placement,
      retainData,
      access,
    });
  }
}

/** The system with its agents in a VPC that is there already, and its API, if so wished, behind that VPC's endpoint only. */
export class PrewarmExistingVpcStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, retainData, access }: PrewarmStackProps) {
    super(app, id, { description: 'Pre-warms CloudFront: API, functions and agents, in a VPC that is there already' });
    const parameters = createStackParameters(this, defaultEnvName);
    const vpc = this.addParameter('vpc', 'AWS::EC2::VPC::Id', 'The VPC that the subnets are in');
    const subnet = this.addParameter(
      'subnet',
      'List<AWS::EC2::Subnet::Id>',
      'Subnets of the VPC for the agents, with a way to the internet (a public address or a NAT)',
    );
    const group = this.addParameter(
      'sg',
      'AWS::EC2::SecurityGroup::Id',
      'A security group of the VPC for the agents: nothing in, HTTP and HTTPS out',
    );
    // A parameter of the type of key pairs cannot be empty.
    const key = new CfnParameter(this, 'key', {
      type: 'String',
      default: '',
      description: "The name of an EC2 key pair for the agents' instances; empty: none, since Session Manager leads to them",
      allowedPattern: '([ -~]{1,255})?',
      constraintDescription: 'must be the name of a key pair, or empty',
    });
    const hasKey = new CfnCondition(this, 'HasKey', { expression: Fn.conditionNot(Fn.conditionEquals(key.valueAsString, '')) });
    const keyName = Fn.conditionIf(hasKey.logicalId, key.valueAsString, Aws.NO_VALUE).toString();
    const vpce = new CfnParameter(this, 'vpce', {
      type: 'String',
      default: '',
      description:
        'An interface endpoint for execute-api: the API is private then, and reached through it only. Empty: public, with its key. A later change takes effect when the stage is deployed again',
      allowedPattern: '(vpce-[0-9a-f]{8,32})?',
      constraintDescription: 'must be the id of a VPC endpoint (vpce-...), or empty',
    });
    this.tieToVpc(vpc);
    composeSystem(this, {
      parameters,
      placement: { subnetIds: subnet.valueAsList, securityGroupIds: [group.valueAsString], keyName },
      vpcEndpointId: vpce.valueAsString,
      retainData,
      access,
    });
  }

  /** Required: there is no default. */
  private addParameter(id: string, type: string, description: string): CfnParameter {
    return new CfnParameter(this, id, { type, description });
  }

  /** Before anything is made, CloudFormation looks every subnet up. A security group's VPC is nothing it can look up. */
  private tieToVpc(vpc: CfnParameter): void {
    new CfnRule(this, 'SubnetsAreInVpc', {
      assertions: [
        {
          assert: Fn.conditionEachMemberEquals(Fn.valueOf('subnet', 'VpcId') as unknown as string[], vpc.valueAsString),
          assertDescription:
            'Every subnet must be one of the VPC given as vpc. Several are separated by a comma alone: a backslash before it must not reach the stack, as it does within quotes',
        },
      ],
    });
  }
}
