import type { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { type NagPackSuppression, NagSuppressions } from 'cdk-nag';

/** Why an action is allowed on more than one named resource. */
export interface WildcardReason {
  readonly actions: readonly string[];
  /** What the resource may look like, as a regular expression. */
  readonly resource: string;
  readonly reason: string;
}

/** Every `*` there is in the resources of a policy. A test compares them with the templates. */
export const WILDCARD_REASONS: readonly WildcardReason[] = [
  {
    actions: ['autoscaling:DescribeAutoScalingGroups', 'autoscaling:DescribeScalingActivities'],
    resource: '\\*',
    reason: 'Auto Scaling offers no resource for what it describes.',
  },
  {
    actions: ['cloudfront:ListDistributions'],
    resource: '\\*',
    reason: 'CloudFront offers no resource for listing.',
  },
  {
    actions: ['cloudfront:CreateInvalidation', 'cloudfront:GetInvalidation'],
    resource: '.*:distribution/\\*',
    reason: 'Requests name the distribution; no template knows which there will be.',
  },
  {
    actions: ['autoscaling:SetDesiredCapacity', 'autoscaling:TerminateInstanceInAutoScalingGroup', 'autoscaling:SetInstanceProtection'],
    resource: '.*:autoScalingGroup:\\*:autoScalingGroupName/[^*]*',
    reason:
      "Two groups: the * stands for the part of its ARN that AWS makes up, which would tie the groups' names to their users in a circle.",
  },
  {
    actions: ['dynamodb:ListStreams'],
    resource: '.*/stream/\\*',
    reason: 'Lambda asks for the streams of one table, whatever their labels.',
  },
  {
    actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject'],
    resource: '.*/(requests|reports|headers)/\\*',
    reason: 'One folder of one bucket; the keys in it begin with ids of requests to come, or are names that nobody can guess.',
  },
  {
    actions: ['s3:PutObject'],
    resource: '.*/requests/\\*/results/\\*',
    reason: 'Results of tasks in one folder of one bucket; the keys name requests and tasks to come.',
  },
  {
    actions: ['scheduler:CreateSchedule', 'scheduler:UpdateSchedule', 'scheduler:DeleteSchedule'],
    resource: '.*:schedule/[^*]*/\\*',
    reason: 'One group of schedules; those in it are named by ids of requests to come.',
  },
  {
    actions: [
      'ssm:UpdateInstanceInformation',
      'ssmmessages:CreateControlChannel',
      'ssmmessages:CreateDataChannel',
      'ssmmessages:OpenControlChannel',
      'ssmmessages:OpenDataChannel',
    ],
    resource: '\\*',
    reason: 'Session Manager offers no resource for the channels of an instance that is yet to start.',
  },
];

/** Gives cdk-nag the reasons for the wildcards in these statements of the role, and for no others. */
export function explainWildcards(role: Role, statements: readonly PolicyStatement[]): void {
  const actions = new Set(statements.flatMap((statement) => statement.actions));
  const needed = WILDCARD_REASONS.filter((reason) => reason.actions.some((action) => actions.has(action)));
  const suppressions: NagPackSuppression[] = needed.map(({ resource, reason }) => ({
    id: 'AwsSolutions-IAM5',
    reason,
    appliesTo: [{ regex: `/^Resource::${resource}$/g` }],
  }));
  if (suppressions.length > 0) NagSuppressions.addResourceSuppressions(role, suppressions, true);
}
