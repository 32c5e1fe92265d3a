import { Annotations, type App, ArnFormat, CfnCondition, CfnOutput, CustomResource, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { NagSuppressions } from 'cdk-nag';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import { TTL_ATTRIBUTE } from '../../deployment/tables.ts';
import { type KeepWarmSettings, SETTING_NAMES, variableOf } from '../../deployment/keep-warm-settings.ts';
import {
  KeepWarmAlarms,
  KeepWarmDashboard,
  type KeepWarmLane,
  lanesOfParameter,
  lanesOfRoutes,
  MAX_LISTED_POPS,
} from './keep-warm-alarms.ts';
import type { KeepWarmContext } from './keep-warm-context.ts';
import { createKeepWarmParameters, createRouteParameters, describeCost, type KeepWarmParameters } from './keep-warm-parameters.ts';
import { NodeFunction } from '../shared/node-function.ts';
import { onTable } from '../prewarm/permissions.ts';
import { createSchedulerRole } from '../shared/scheduler-role.ts';

interface KeepWarmBudgetProps {
  readonly envName: string;
  /** The function's input by the names of the parameters; the values are tokens. */
  readonly properties: Readonly<Record<string, string>>;
  readonly statements: readonly PolicyStatement[];
}

/** Looks at the parameters' real values during a deploy, and fails it where they are wrong or would pass the budget. */
class KeepWarmBudget extends Construct {
  readonly checker: NodeFunction;
  readonly resource: CustomResource;

  constructor(scope: Construct, id: string, { envName, properties, statements }: KeepWarmBudgetProps) {
    super(scope, id);
    this.checker = new NodeFunction(this, 'Checker', {
      envName,
      name: 'keep-warm-budget',
      description: 'Refuses a deploy whose keep-warm parameters are wrong, or would pass the budget',
      entry: 'lambda/keep-warm-budget/entry.ts',
      timeout: Duration.seconds(30),
      memorySize: 256,
      environment: { PREWARM_ENV_NAME: envName },
      statements,
    });
    this.resource = new CustomResource(this, 'Check', {
      serviceToken: this.checker.handler.functionArn,
      resourceType: 'Custom::KeepWarmBudget',
      serviceTimeout: Duration.minutes(2),
      properties: { ...properties },
    });
  }

  attribute(name: 'RequestsPerDay' | 'MonthlyCost'): string {
    return this.resource.getAttString(name);
  }
}

interface KeepWarmScheduleProps {
  readonly envName: string;
  /** `rate(1 minute)`; a parameter. */
  readonly rate: string;
  readonly target: NodeFunction;
}

/** EventBridge takes nothing shorter for how old an event may grow. */
const EVENT_AGE = Duration.minutes(1);

/** Starts a run at its time, or not at all: a late one would meet the next. */
class KeepWarmSchedule extends Construct {
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

export interface LambdaPrewarmStackProps {
  /** What the parameter `envName` is unless it is set. */
  readonly defaultEnvName: string;
  /** Null: parameters describe the one route. */
  readonly context: KeepWarmContext | null;
}

/** The function's settings, and what alarms watch. */
interface Routes {
  readonly settings: KeepWarmSettings;
  readonly lanes: readonly KeepWarmLane[];
  readonly statements: readonly PolicyStatement[];
  /** Most POPs that may be named; '' where all are known. */
  readonly maxPops: string;
}

/** Requests are sent for 55 seconds; the last have three more to be answered and counted. */
const TIMEOUT = Duration.seconds(58);
const MEMORY_MIB = 256;

/** A function that holds the connections from POPs to origins open, every minute a few requests through each POP. */
export class LambdaPrewarmStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, context }: LambdaPrewarmStackProps) {
    super(app, id, { description: 'Keeps connections from CloudFront POPs to origins open' });
    const parameters = createKeepWarmParameters(this, defaultEnvName);
    const { envName, rate, maxRequestsPerDay } = parameters;
    const readSecret = this.readSecret(parameters);
    const routes = context === null ? this.routesOfParameters(parameters) : this.routesOfContext(parameters, context);
    const statements = [...routes.statements, readSecret];
    const budget = new KeepWarmBudget(this, 'Budget', {
      envName,
      properties: { ...routes.settings, rate, maxRequestsPerDay, maxPops: routes.maxPops },
      statements,
    });
    const sender = this.createSender(envName, routes.settings, statements);
    const schedule = new KeepWarmSchedule(this, 'Schedule', { envName, rate, target: sender });
    // Nothing is scheduled that was not looked at before.
    schedule.schedule.node.addDependency(budget.resource);
    const alarms = new KeepWarmAlarms(this, 'Alarms', { envName, lanes: routes.lanes, functions: [sender], rate });
    new KeepWarmDashboard(this, 'Monitoring', { envName, sender });
    this.addOutputs(budget, alarms);
    Annotations.of(this).addInfo(describeCost(context?.routes ?? null));
  }

  private routesOfParameters({ headersSecret }: KeepWarmParameters): Routes {
    const { popList, ...texts } = createRouteParameters(this);
    return {
      settings: {
        ...texts,
        popList: Fn.join(',', popList.valueAsList),
        headersSecret: headersSecret.valueAsString,
        routesBucket: '',
        routesKey: '',
      },
      lanes: lanesOfParameter(this, texts.customDomain, popList),
      statements: [],
      maxPops: String(MAX_LISTED_POPS),
    };
  }

  private routesOfContext({ headersSecret }: KeepWarmParameters, { file, routes }: KeepWarmContext): Routes {
    const asset = new Asset(this, 'Routes', { path: file });
    return {
      settings: {
        customDomain: '',
        distributionDomainName: '',
        urlPath: '',
        popList: '',
        requestsPerPop: '',
        method: '',
        headersSecret: headersSecret.valueAsString,
        routesBucket: asset.s3BucketName,
        routesKey: asset.s3ObjectKey,
      },
      lanes: lanesOfRoutes(routes),
      statements: [new PolicyStatement({ actions: ['s3:GetObject'], resources: [asset.bucket.arnForObjects(asset.s3ObjectKey)] })],
      maxPops: '',
    };
  }

  private createSender(envName: string, settings: KeepWarmSettings, statements: readonly PolicyStatement[]): NodeFunction {
    const claims = new Table(this, 'Claims', {
      partitionKey: { name: 'id', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: TTL_ATTRIBUTE,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    NagSuppressions.addResourceSuppressions(claims, [{ id: 'AwsSolutions-DDB3', reason: 'A row is of use for the minute that it names.' }]);
    return new NodeFunction(this, 'Sender', {
      envName,
      name: 'keep-warm',
      description: 'Sends a few requests through each POP, so that its connections to the origin stay open',
      entry: 'lambda/keep-warm/entry.ts',
      timeout: TIMEOUT,
      memorySize: MEMORY_MIB,
      environment: {
        PREWARM_ENV_NAME: envName,
        PREWARM_KEEP_WARM_TABLE: claims.tableName,
        ...Object.fromEntries(SETTING_NAMES.map((name) => [variableOf(name), settings[name]])),
      },
      statements: [onTable(claims, 'PutItem'), ...statements],
    });
  }

  /** Where no secret is named, the name of none stands in for it: a role's policy cannot be without resources. */
  private readSecret({ headersSecret }: KeepWarmParameters): PolicyStatement {
    const given = new CfnCondition(this, 'HasHeadersSecret', {
      expression: Fn.conditionNot(Fn.conditionEquals(headersSecret.valueAsString, '')),
    });
    const none = this.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: 'none',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const secret = Fn.conditionIf(given.logicalId, headersSecret.valueAsString, none).toString();
    return new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [secret] });
  }

  private addOutputs(budget: KeepWarmBudget, { topic }: KeepWarmAlarms): void {
    new CfnOutput(this, 'requestsPerDay', { value: budget.attribute('RequestsPerDay'), description: 'Sent through all POPs together' });
    new CfnOutput(this, 'monthlyCost', { value: budget.attribute('MonthlyCost'), description: 'USD in 30 days, by list price' });
    new CfnOutput(this, 'alarmTopic', { value: topic.topicArn, description: 'Subscribe to it to hear of POPs that stop answering' });
  }
}
