import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import { createSchedulerRole } from '../shared/scheduler-role.ts';

export interface SchedulesProps {
  readonly envName: string;
}

/**
 * Where the requests' one-time schedules live, and the role they call the shutdown function with. That function's ARN follows
 * from its fixed name, because the function in turn may change the schedules. Removing the group removes what is left in it.
 */
export class Schedules extends Construct {
  readonly groupName: string;
  /** Every schedule of the group. */
  readonly scheduleArn: string;
  readonly role: Role;
  readonly shutdownFunctionArn: string;

  constructor(scope: Construct, id: string, { envName }: SchedulesProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.groupName = `prewarm_${envName}`;
    const group = new CfnScheduleGroup(this, 'Group', { name: this.groupName });
    this.scheduleArn = stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: `${this.groupName}/*` });
    this.shutdownFunctionArn = stack.formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: `prewarm_shutdown_${envName}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const description = `What the schedules of ${this.groupName} may do`;
    this.role = createSchedulerRole(this, 'Role', { description, group, functionArn: this.shutdownFunctionArn });
  }
}
