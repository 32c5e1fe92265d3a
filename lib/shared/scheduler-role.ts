import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';

export interface SchedulerRoleProps {
  readonly description: string;
  readonly group: CfnScheduleGroup;
  readonly functionArn: string;
}

/** The role by which the schedules of one group call one function. */
export function createSchedulerRole(scope: Construct, id: string, { description, group, functionArn }: SchedulerRoleProps): Role {
  const role = new Role(scope, id, {
    description,
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account, 'aws:SourceArn': group.attrArn } },
    }),
  });
  role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [functionArn] }));
  return role;
}
