import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { MOST_RECEIVES } from '../../core/work/task.ts';

export interface TaskQueuesProps {
  /** The environment's name, which ends every queue's name. */
  readonly envName: string;
  /** How long the functions that size and plan may take: their messages stay hidden a little longer. */
  readonly shareTimeout: Duration;
}

/** What an agent's lease lasts until its heartbeat extends it. */
const TASK_LEASE = Duration.seconds(120);
/** A share that fails comes back after 5 to 30 seconds: so many tries last through some nine minutes of trouble. */
const SHARE_RECEIVES = 20;
/** A dead letter that cannot be recorded: some half an hour of tries, and no fortnight. */
const DEAD_LETTER_RECEIVES = 5;
/** SQS keeps nothing longer. */
const LONGEST = Duration.days(14);

/** Tasks for the agents, requests that need another share of sizing or planning, and what could be delivered to nobody. */
export class TaskQueues extends Construct {
  /** One message per task. Users' scripts rely on the name. */
  readonly tasks: Queue;
  readonly deadTasks: Queue;
  /** Requests that sizing goes on with. */
  readonly sizes: Queue;
  readonly deadSizes: Queue;
  /** Requests that planning goes on with. */
  readonly plans: Queue;
  readonly deadPlans: Queue;
  /** Stream records, timers, events and dead letters that a function failed at to the end. Nobody reads it but people. */
  readonly failed: Queue;

  private readonly envName: string;

  constructor(scope: Construct, id: string, { envName, shareTimeout }: TaskQueuesProps) {
    super(scope, id);
    this.envName = envName;
    const shareLease = shareTimeout.plus(Duration.minutes(1));
    this.failed = this.createQueue('Failed', 'failed', shareLease);
    this.deadTasks = this.createQueue('DeadTasks', 'task_dead', shareLease, {
      queue: this.failed,
      maxReceiveCount: DEAD_LETTER_RECEIVES,
    });
    this.tasks = this.createQueue('Tasks', 'task', TASK_LEASE, { queue: this.deadTasks, maxReceiveCount: MOST_RECEIVES });
    this.deadSizes = this.createQueue('DeadSizes', 'size_dead', shareLease);
    this.sizes = this.createQueue('Sizes', 'size', shareLease, { queue: this.deadSizes, maxReceiveCount: SHARE_RECEIVES });
    this.deadPlans = this.createQueue('DeadPlans', 'plan_dead', shareLease);
    this.plans = this.createQueue('Plans', 'plan', shareLease, { queue: this.deadPlans, maxReceiveCount: SHARE_RECEIVES });
    NagSuppressions.addResourceSuppressions(this.failed, [
      {
        id: 'AwsSolutions-SQS3',
        reason: 'It is where failures end, of streams and asynchronous calls; only people read it, and an alarm calls them.',
      },
    ]);
  }

  private createQueue(id: string, name: string, lease: Duration, deadLetterQueue?: { queue: Queue; maxReceiveCount: number }): Queue {
    return new Queue(this, id, {
      queueName: `prewarm_${name}_${this.envName}`,
      visibilityTimeout: lease,
      retentionPeriod: LONGEST,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(deadLetterQueue === undefined ? {} : { deadLetterQueue }),
    });
  }
}
