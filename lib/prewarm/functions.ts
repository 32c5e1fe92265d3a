import { Duration } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { Construct } from 'constructs';
import { BY_CREATION } from '../../deployment/tables.ts';
import { NodeFunction } from '../shared/node-function.ts';
import {
  deleteObjects,
  describeActivities,
  endRequests,
  findDistributions,
  invalidate,
  onGroups,
  onIndex,
  onQueue,
  onStream,
  onTable,
  publish,
  READ,
  readLists,
  setTimers,
  type SystemResources,
  writeLists,
  writeResults,
} from './permissions.ts';
import { explainWildcards } from '../shared/wildcard-reasons.ts';
import type { FunctionVariable } from '../../deployment/read-variables.ts';
import type { StackParameters } from './stack-parameters.ts';

/** Every function has the environment's name; of the others each has those that it asks for. */
type Variable = Exclude<FunctionVariable, 'PREWARM_ENV_NAME'>;

/** The wanted ones, and the environment's name, which every function puts beside its metrics. */
function createEnvironment({ resources, parameters }: FunctionsProps, wanted: readonly Variable[]): Readonly<Record<string, string>> {
  const { tables, queues, schedules, notifications } = resources;
  const values: Readonly<Record<Variable, string>> = {
    PREWARM_REQUEST_TABLE: tables.requests.tableName,
    PREWARM_POP_TABLE: tables.pops.tableName,
    PREWARM_TASK_TABLE: tables.tasks.tableName,
    PREWARM_BUCKET: resources.bucket.bucketName,
    PREWARM_TASK_QUEUE_URL: queues.tasks.queueUrl,
    PREWARM_SIZE_QUEUE_URL: queues.sizes.queueUrl,
    PREWARM_PLAN_QUEUE_URL: queues.plans.queueUrl,
    PREWARM_GROUP_NAME: resources.groupName,
    PREWARM_ON_DEMAND_GROUP_NAME: resources.onDemandGroupName,
    PREWARM_ON_DEMAND_FALLBACK: parameters.onDemandFallback,
    PREWARM_MAX_INSTANCES: parameters.maxInstances,
    PREWARM_SCHEDULE_GROUP: schedules.groupName,
    PREWARM_SHUTDOWN_FUNCTION_ARN: schedules.shutdownFunctionArn,
    PREWARM_SCHEDULE_ROLE_ARN: schedules.role.roleArn,
    PREWARM_EVENT_BUS: notifications.bus.eventBusName,
    PREWARM_TOPIC_ARN: notifications.requests.topicArn,
    PREWARM_SHOW_SUCCESS_URLS: parameters.showSuccessUrls,
    PREWARM_ALLOWED_DOMAINS: parameters.allowedDomains,
    PREWARM_MAX_TARGETS: parameters.maxTargets,
    PREWARM_MAX_INVALIDATION_PATHS: parameters.maxInvalidationPaths,
  };
  return { PREWARM_ENV_NAME: resources.envName, ...Object.fromEntries(wanted.map((name) => [name, values[name]])) };
}

export interface FunctionsProps {
  readonly resources: SystemResources;
  readonly parameters: StackParameters;
  /** Of the functions that size and plan. */
  readonly shareTimeout: Duration;
}

interface Definition {
  readonly description: string;
  readonly timeout: Duration;
  readonly memorySize: number;
  readonly variables: readonly Variable[];
  readonly statements: readonly PolicyStatement[];
  readonly wakesItself?: boolean;
}

/** How long events that came by themselves (timers, the bus, topics) are tried again. */
const EVENT_AGE = Duration.hours(6);
const LISTS = 'requests';
const REPORTS = 'reports';
const HEADERS = 'headers';
const TABLES: readonly Variable[] = ['PREWARM_REQUEST_TABLE', 'PREWARM_POP_TABLE', 'PREWARM_TASK_TABLE'];
/** The variables of every function that may end a request. */
const ENDING: readonly Variable[] = [
  'PREWARM_GROUP_NAME',
  'PREWARM_ON_DEMAND_GROUP_NAME',
  'PREWARM_ON_DEMAND_FALLBACK',
  'PREWARM_MAX_INSTANCES',
  'PREWARM_SCHEDULE_GROUP',
  'PREWARM_SHUTDOWN_FUNCTION_ARN',
  'PREWARM_SCHEDULE_ROLE_ARN',
  'PREWARM_EVENT_BUS',
];

/** The functions, each with the variables and the permissions of its step alone. What wakes them is in `Triggers`. */
export class Functions extends Construct {
  readonly api: NodeFunction;
  readonly getSize: NodeFunction;
  readonly task: NodeFunction;
  readonly aggregate: NodeFunction;
  readonly shutdown: NodeFunction;
  readonly deadLetter: NodeFunction;
  readonly report: NodeFunction;

  private readonly props: FunctionsProps;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    this.props = props;
    this.api = this.create('Api', 'api', this.defineApi());
    this.getSize = this.create('GetSize', 'get-size', this.defineGetSize());
    this.task = this.create('Task', 'task', this.defineTask());
    this.aggregate = this.create('Aggregate', 'aggregate', this.defineAggregate());
    this.shutdown = this.create('Shutdown', 'shutdown', this.defineShutdown());
    this.deadLetter = this.create('DeadLetter', 'dead-letter', this.defineDeadLetter());
    this.report = this.create('Report', 'report', this.defineReport());
    // An API of this version makes requests that a sizer and a planner of the version before could not work.
    this.api.handler.node.addDependency(this.getSize.handler, this.task.handler);
    for (const asynchronous of [this.shutdown, this.report]) {
      asynchronous.handler.configureAsyncInvoke({
        onFailure: new SqsDestination(props.resources.queues.failed),
        retryAttempts: 2,
        maxEventAge: EVENT_AGE,
      });
    }
  }

  /** All of them, as alarms and dashboards list them. */
  get all(): readonly NodeFunction[] {
    return [this.api, this.getSize, this.task, this.aggregate, this.shutdown, this.deadLetter, this.report];
  }

  private create(id: string, name: string, { variables, ...definition }: Definition): NodeFunction {
    const created = new NodeFunction(this, id, {
      envName: this.props.resources.envName,
      name,
      entry: `lambda/${name}/entry.ts`,
      environment: createEnvironment(this.props, variables),
      ...definition,
    });
    explainWildcards(created.role, definition.statements);
    return created;
  }

  private defineApi(): Definition {
    const { resources } = this.props;
    const { tables, bucket, queues } = resources;
    return {
      description: 'Answers the HTTP API, and makes requests',
      // API Gateway waits 29 s.
      timeout: Duration.seconds(29),
      memorySize: 1024,
      variables: [
        ...TABLES,
        ...ENDING,
        'PREWARM_BUCKET',
        'PREWARM_TASK_QUEUE_URL',
        'PREWARM_SHOW_SUCCESS_URLS',
        'PREWARM_ALLOWED_DOMAINS',
        'PREWARM_MAX_TARGETS',
        'PREWARM_MAX_INVALIDATION_PATHS',
      ],
      statements: [
        ...endRequests(this, resources),
        ...setTimers(resources),
        onTable(tables.requests, 'PutItem'),
        onIndex(tables.requests, BY_CREATION),
        onTable(tables.pops, 'PutItem'),
        onTable(tables.tasks, ...READ),
        ...readLists(bucket, LISTS, REPORTS),
        writeLists(bucket, LISTS, REPORTS, HEADERS),
        onQueue(queues.tasks, 'GetQueueAttributes'),
        describeActivities(),
        findDistributions(),
      ],
    };
  }

  private defineGetSize(): Definition {
    const { resources, shareTimeout } = this.props;
    const { tables, bucket, queues } = resources;
    return {
      description: 'Invalidates where asked, learns the size of every URL, and writes the sized list',
      timeout: shareTimeout,
      // It waits for POPs far away, 64 at a time, and is paid by the time: a part of a core is enough for that.
      memorySize: 512,
      variables: [...TABLES, ...ENDING, 'PREWARM_BUCKET', 'PREWARM_SIZE_QUEUE_URL'],
      // What is left of a request comes back by the queue, until the request's time-out at the latest.
      wakesItself: true,
      statements: [
        ...endRequests(this, resources),
        ...onStream(tables.requests),
        // How many URLs have been asked, for the progress of the request.
        onTable(tables.pops, 'PutItem'),
        ...readLists(bucket, LISTS, HEADERS),
        writeLists(bucket, LISTS),
        onQueue(queues.sizes, 'SendMessage'),
        findDistributions(),
        invalidate(this),
      ],
    };
  }

  private defineTask(): Definition {
    const { resources, shareTimeout } = this.props;
    const { tables, bucket, queues } = resources;
    return {
      description: "Resolves the POPs' addresses, cuts the list into slices, and enqueues the tasks",
      timeout: shareTimeout,
      memorySize: 1769,
      variables: [...TABLES, ...ENDING, 'PREWARM_BUCKET', 'PREWARM_TASK_QUEUE_URL', 'PREWARM_PLAN_QUEUE_URL'],
      // What is left of a request comes back by the queue, until the request's time-out at the latest.
      wakesItself: true,
      statements: [
        ...endRequests(this, resources),
        ...onStream(tables.requests),
        onTable(tables.pops, 'PutItem'),
        onTable(tables.tasks, ...READ, 'PutItem'),
        ...readLists(bucket, LISTS),
        writeLists(bucket, LISTS),
        onQueue(queues.tasks, 'SendMessage'),
        onQueue(queues.plans, 'SendMessage'),
      ],
    };
  }

  private defineAggregate(): Definition {
    const { resources } = this.props;
    const { tables } = resources;
    return {
      description: 'Counts recorded tasks into their requests and POPs, and ends the requests that are done',
      timeout: Duration.minutes(1),
      memorySize: 1024,
      variables: [...TABLES, ...ENDING],
      statements: [
        ...endRequests(this, resources),
        ...onStream(tables.tasks),
        onTable(tables.pops, 'PutItem'),
        onTable(tables.tasks, ...READ, 'UpdateItem'),
      ],
    };
  }

  private defineShutdown(): Definition {
    const { resources } = this.props;
    const { tables, queues } = resources;
    return {
      description: 'Ends requests at their time-out, and brings the fleet to what is claimed',
      timeout: Duration.minutes(2),
      memorySize: 512,
      variables: [...TABLES, ...ENDING, 'PREWARM_TASK_QUEUE_URL'],
      statements: [
        ...endRequests(this, resources),
        ...setTimers(resources),
        onIndex(tables.requests, BY_CREATION),
        onQueue(queues.tasks, 'ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'),
        describeActivities(),
        onGroups(this, resources, 'TerminateInstanceInAutoScalingGroup', 'SetInstanceProtection'),
      ],
    };
  }

  private defineDeadLetter(): Definition {
    const { tables, bucket } = this.props.resources;
    return {
      description: 'Records the targets of tasks that nobody brought to an end',
      timeout: Duration.minutes(1),
      memorySize: 512,
      variables: [...TABLES, 'PREWARM_BUCKET'],
      statements: [
        onTable(tables.requests, ...READ),
        onTable(tables.tasks, ...READ, 'PutItem'),
        ...readLists(bucket, LISTS),
        writeResults(bucket),
      ],
    };
  }

  private defineReport(): Definition {
    const { tables, bucket, notifications } = this.props.resources;
    return {
      description: "Writes an ended request's report, and tells those who asked to be told",
      // The longest there is: each task with failures is an object to be read.
      timeout: Duration.minutes(15),
      memorySize: 1769,
      variables: [...TABLES, 'PREWARM_BUCKET', 'PREWARM_TOPIC_ARN'],
      statements: [
        // Drops viewers' secrets once the end was announced.
        onTable(tables.requests, ...READ, 'UpdateItem'),
        onTable(tables.pops, ...READ),
        onTable(tables.tasks, ...READ),
        ...readLists(bucket, LISTS, REPORTS),
        writeLists(bucket, REPORTS),
        deleteObjects(bucket, HEADERS),
        publish(notifications.requests.topicArn),
      ],
    };
  }
}
