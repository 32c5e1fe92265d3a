import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, type LambdaFunctionProps } from 'aws-cdk-lib/aws-events-targets';
import { FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDlq, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { EVENT_SOURCE, REQUEST_ENDED } from '../../deployment/names.ts';
import type { Functions } from './functions.ts';
import type { NodeFunction } from '../shared/node-function.ts';
import type { SystemResources } from './permissions.ts';
import { createSchedulerRole } from '../shared/scheduler-role.ts';

interface SchedulesProps {
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

export interface TriggersProps {
  readonly functions: Functions;
  readonly resources: SystemResources;
  /**
   * So many requests of a stream's shard, and so many messages of a queue, are sized or planned at once: a new account has ten
   * concurrent executions for all of its functions. A parameter.
   */
  readonly sharesAtOnce: number;
}

interface Stream {
  readonly table: Table;
  /** Wakes the function for these records only; the others cost nothing. */
  readonly filter: Record<string, unknown>;
  readonly batchSize: number;
  readonly window?: Duration;
  /** Batches of one shard at once; Lambda keeps the order of each item's changes only. */
  readonly parallel: number;
}

const STREAM_RETRIES = 10;
const COUNTING_WINDOW = Duration.seconds(5);
const FLEET_CHECK = Duration.minutes(5);
const EVENT_AGE = Duration.hours(6);
/** The least that Lambda takes. */
const DEAD_LETTERS_AT_ONCE = 2;

/** What wakes which function. The Request stream has two readers and may not have more: a shard serves no third. */
export class Triggers extends Construct {
  private readonly props: TriggersProps;

  constructor(scope: Construct, id: string, props: TriggersProps) {
    super(scope, id);
    this.props = props;
    this.addStreams();
    this.addQueues();
    this.addEvents();
  }

  private addStreams(): void {
    const { functions, resources, sharesAtOnce } = this.props;
    const { requests, tasks } = resources.tables;
    this.readStream(functions.getSize, {
      table: requests,
      filter: { eventName: FilterRule.isEqual('INSERT') },
      batchSize: 1,
      parallel: sharesAtOnce,
    });
    this.readStream(functions.task, {
      table: requests,
      filter: {
        eventName: FilterRule.isEqual('MODIFY'),
        dynamodb: {
          NewImage: { status: { S: FilterRule.isEqual('QUEUEING') } },
          OldImage: { status: { S: FilterRule.notEquals('QUEUEING') } },
        },
      },
      batchSize: 1,
      parallel: sharesAtOnce,
    });
    this.readStream(functions.aggregate, {
      table: tasks,
      filter: { eventName: FilterRule.isEqual('INSERT') },
      batchSize: 200,
      // Tasks that end within it are counted in few transactions instead of many; agents report their progress in longer steps.
      window: COUNTING_WINDOW,
      // Tasks of one request are many items, and all are counted into the same rows: batches beside each other would be small and race.
      parallel: 1,
    });
  }

  private readStream(reader: NodeFunction, { table, filter, batchSize, window, parallel }: Stream): void {
    reader.handler.addEventSourceMapping('Stream', {
      ...(table.tableStreamArn === undefined ? {} : { eventSourceArn: table.tableStreamArn }),
      // From the oldest record on: what is written while the stack is still being made is not passed over.
      startingPosition: StartingPosition.TRIM_HORIZON,
      filters: [FilterCriteria.filter(filter)],
      batchSize,
      ...(window === undefined ? {} : { maxBatchingWindow: window }),
      parallelizationFactor: parallel,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts: STREAM_RETRIES,
      maxRecordAge: EVENT_AGE,
      onFailure: new SqsDlq(this.props.resources.queues.failed),
    });
  }

  private addQueues(): void {
    const { functions, resources, sharesAtOnce } = this.props;
    const { sizes, plans, deadTasks } = resources.queues;
    this.readQueue(functions.getSize, sizes, 1, sharesAtOnce);
    this.readQueue(functions.task, plans, 1, sharesAtOnce);
    this.readQueue(functions.deadLetter, deadTasks, 10, DEAD_LETTERS_AT_ONCE);
  }

  private readQueue(reader: NodeFunction, queue: Queue, batchSize: number, maxConcurrency: number): void {
    reader.handler.addEventSource(new SqsEventSource(queue, { batchSize, maxConcurrency, reportBatchItemFailures: true }));
  }

  private addEvents(): void {
    const { functions, resources } = this.props;
    const { notifications, queues } = resources;
    const bounded: LambdaFunctionProps = { deadLetterQueue: queues.failed, retryAttempts: 10, maxEventAge: EVENT_AGE };
    new Rule(this, 'FleetTimer', {
      description: 'Brings the fleet to what is claimed, whatever else went wrong',
      schedule: Schedule.rate(FLEET_CHECK),
      targets: [new LambdaFunction(functions.shutdown.handler, { ...bounded, event: RuleTargetInput.fromObject({ kind: 'fleet' }) })],
    });
    new Rule(this, 'RequestEnded', {
      description: 'Reports ended requests',
      eventBus: notifications.bus,
      eventPattern: { source: [EVENT_SOURCE], detailType: [REQUEST_ENDED] },
      targets: [new LambdaFunction(functions.report.handler, bounded)],
    });
    notifications.backlog.addSubscription(new LambdaSubscription(functions.shutdown.handler, { deadLetterQueue: queues.failed }));
  }
}
