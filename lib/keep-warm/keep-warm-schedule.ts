import { Duration } from 'aws-cdk-lib';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { NodeFunction } from '../shared/node-function.ts';
import { createSchedulerRole } from '../shared/scheduler-role.ts';

export interface KeepWarmScheduleProps {
  readonly envName: string;
  /** `rate(1 minute)`; a parameter. */
  readonly rate: string;
  readonly target: NodeFunction;
}

/** EventBridge takes nothing shorter for how old an event may grow. */
const EVENT_AGE = Duration.minutes(1);

/** Starts a run at its time, or not at all: a late one would meet the next. */
export class KeepWarmSchedule extends Construct {
  readonly schedule: CfnSchedule;

  constructor(scope: Construct, id: string, { envName, rate, target }: KeepWarmScheduleProps) {
    super(scope, id);
    const group = new CfnScheduleGroup(this, 'Group', { name: `prewarm_keep-warm_${envName}` });
    const description = `What the keep-warm schedule of the environment ${envName} may do`;
    const role = createSchedulerRole(this, 'Role', { description, group, functionArn: target.handler.functionArn });
    target.handler.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: EVENT_AGE });
    this.schedule = new CfnSchedule(this, 'Schedule', {
      name: `prewarm_keep-warm_${envName}`,
      groupName: group.ref,
      description: 'Keeps connections from POPs to origins open',
      scheduleExpression: rate,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: target.handler.functionArn,
        roleArn: role.roleArn,
        input: '{"scheduledTime":"<aws.scheduler.scheduled-time>"}',
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: EVENT_AGE.toSeconds() },
      },
    });
    // Not the role itself, which is referred to: linters object.
    this.schedule.node.addDependency(role.node.findChild('DefaultPolicy'));
  }
}
