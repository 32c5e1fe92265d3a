import { CfnOutput, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { AgentFleet, createAgentBundleAsset, FleetRelease } from './agent-fleet.ts';
import type { AgentPlacement } from './agent-network.ts';
import { createAgentRole } from './agent-role.ts';
import { createAgentUserData } from './agent-user-data.ts';
import { Alarms } from './alarms.ts';
import type { ApiAccess } from '../shared/deploy-context.ts';
import { Functions } from './functions.ts';
import { ListBucket } from './list-bucket.ts';
import { MonitoringDashboard } from './monitoring-dashboard.ts';
import { Notifications } from './notifications.ts';
import type { SystemResources } from './permissions.ts';
import { RequestApi } from './request-api.ts';
import { Schedules } from './schedules.ts';
import type { StackParameters } from './stack-parameters.ts';
import { Tables } from './tables.ts';
import { TaskQueues } from './task-queues.ts';
import { Triggers } from './triggers.ts';

export interface SystemProps {
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
export function composeSystem(stack: Stack, { parameters, placement, vpcEndpointId, retainData, access }: SystemProps): void {
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
