import { Aws, CfnCondition, Duration, Fn, RemovalPolicy, Size } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  type ApiKey,
  AuthorizationType,
  type CfnRestApi,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  Period,
  ResponseType,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import type { ApiAccess } from '../shared/deploy-context.ts';

type Statement = Readonly<Record<string, unknown>>;

const EVERY_PATH = 'execute-api:/*';

/** What `GET` of a path is called in a policy of the API, at whatever stage. */
const open = (path: string) => `execute-api:/*/GET/${path}`;

/**
 * Who may be let in. Where calls are signed, the account is named instead of everybody: then a caller's own policies decide, too. Paths
 * that are open without a key stay so.
 */
function letIn({ asksForSignature }: ApiAccess, openPaths: readonly string[], condition: Statement): Statement[] {
  const allow = (principal: unknown, resource: unknown) => ({
    Effect: 'Allow',
    Principal: principal,
    Action: 'execute-api:Invoke',
    Resource: resource,
    ...condition,
  });
  if (!asksForSignature) return [allow('*', EVERY_PATH)];
  const account = Fn.join('', ['arn:', Aws.PARTITION, ':iam::', Aws.ACCOUNT_ID, ':root']);
  return [allow({ AWS: account }, EVERY_PATH), allow('*', openPaths.map(open))];
}

function keepOut(condition: Statement): Statement {
  return { Effect: 'Deny', Principal: '*', Action: 'execute-api:Invoke', Resource: EVERY_PATH, Condition: condition };
}

function document(statements: readonly Statement[]): Statement {
  return { Version: '2012-10-17', Statement: statements };
}

/** The policy of an API that is reached over the internet; null: it needs none. */
function publicPolicy(access: ApiAccess, openPaths: readonly string[]): Statement | null {
  if (access.allowFrom.length === 0) return null;
  return document([...letIn(access, openPaths, {}), keepOut({ NotIpAddress: { 'aws:SourceIp': access.allowFrom } })]);
}

/** The policy of an API that is reached through one VPC endpoint. There, `aws:VpcSourceIp` is the caller's address. */
function privatePolicy(access: ApiAccess, openPaths: readonly string[], vpcEndpointId: string): Statement {
  const through = { Condition: { StringEquals: { 'aws:SourceVpce': vpcEndpointId } } };
  const fromElsewhere = access.allowFrom.length === 0 ? [] : [keepOut({ NotIpAddress: { 'aws:VpcSourceIp': access.allowFrom } })];
  return document([
    ...letIn(access, openPaths, through),
    keepOut({ StringNotEquals: { 'aws:SourceVpce': vpcEndpointId } }),
    ...fromElsewhere,
  ]);
}

export interface RequestApiProps {
  readonly envName: string;
  /** Answers everything: the routes are the app's. */
  readonly handler: IFunction;
  /** A parameter with the id of an interface endpoint, or the empty string: then the API is reached through that endpoint only. */
  readonly vpcEndpointId?: string;
  readonly access: ApiAccess;
}

const STAGE = 'v1';
/** What may be asked without a key. */
const OPEN_PATHS = ['openapi.json', 'healthz'];
/** A client that waits asks every second or two. */
const KEY_LIMITS = { rateLimit: 50, burstLimit: 100, perDay: 500_000 };
/** Of each method, of all callers together. */
const STAGE_LIMITS = { rateLimit: 200, burstLimit: 400 };
/** What may be asked without a key runs the function too: it is bounded by itself, so that strangers cost little and hinder no holder of a key. */
const OPEN_LIMITS = { throttlingRateLimit: 5, throttlingBurstLimit: 10 };

/** What the app says beside each of its answers; the gateway wants the values quoted. */
const ERROR_HEADERS = {
  'Cache-Control': "'no-store'",
  'X-Content-Type-Options': "'nosniff'",
  'Referrer-Policy': "'no-referrer'",
};

/** One line of JSON per request, without what a client writes as it likes, such as its User-Agent: the gateway puts it in as it is. Who (by key), what, how it went, and where the time was spent. */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    time: '$context.requestTime',
    requestId: '$context.requestId',
    method: '$context.httpMethod',
    path: '$context.path',
    status: '$context.status',
    keyId: '$context.identity.apiKeyId',
    ip: '$context.identity.sourceIp',
    responseLength: '$context.responseLength',
    responseMs: '$context.responseLatency',
    functionMs: '$context.integrationLatency',
    // The type, not the message: that may hold a quote, which would end the line's text early.
    error: '$context.error.responseType',
  }),
);

/** The HTTP API: API Gateway looks at the key, counts, logs and compresses; all else is the app's. */
export class RequestApi extends Construct {
  readonly api: RestApi;
  readonly key: ApiKey;
  /** The stage's base URL, with its final slash. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: RequestApiProps) {
    super(scope, id);
    this.api = this.createApi(props);
    this.url = this.api.url;
    this.addPaths(props);
    this.addErrors();
    this.key = this.addKey(props.envName);
    this.limitReach(props);
    this.explain();
  }

  private createApi({ envName, access: { setsAccountLogging } }: RequestApiProps): RestApi {
    const log = new LogGroup(this, 'AccessLog', {
      logGroupName: `/prewarm/${envName}/api-access`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const api = new RestApi(this, 'Api', {
      restApiName: `prewarm_${envName}`,
      description: `Pre-warms CloudFront: the API of the environment ${envName}`,
      endpointTypes: [EndpointType.REGIONAL],
      // Answers are text, so no media type is binary: a body that API Gateway took for binary would reach the app as base64.
      minCompressionSize: Size.kibibytes(1),
      // Access logs need the account's logging role, which is one for all APIs of the account and region. So it stays.
      ...(setsAccountLogging ? { cloudWatchRole: true, cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN } : { cloudWatchRole: false }),
      deployOptions: {
        stageName: STAGE,
        description: 'The only stage',
        accessLogDestination: new LogGroupLogDestination(log),
        accessLogFormat: ACCESS_LOG,
        // Metrics of each method cost; those of the whole API, which the dashboard reads, do not.
        metricsEnabled: false,
        throttlingRateLimit: STAGE_LIMITS.rateLimit,
        throttlingBurstLimit: STAGE_LIMITS.burstLimit,
        methodOptions: Object.fromEntries(OPEN_PATHS.map((path) => [`/${path}/GET`, OPEN_LIMITS])),
      },
    });
    // The stack has outputs of its own, with names that users rely on.
    api.node.tryRemoveChild('Endpoint');
    return api;
  }

  private addPaths({ handler, access: { asksForSignature } }: RequestApiProps): void {
    const toApp = new LambdaIntegration(handler, { scopePermissionToMethod: false, timeout: Duration.seconds(29) });
    const withKey = { apiKeyRequired: true, ...(asksForSignature ? { authorizationType: AuthorizationType.IAM } : {}) };
    this.api.root.addMethod('ANY', toApp, withKey);
    this.api.root.addResource('{proxy+}').addMethod('ANY', toApp, withKey);
    for (const path of OPEN_PATHS) {
      const resource = this.api.root.addResource(path);
      resource.addMethod('GET', toApp, { apiKeyRequired: false });
      resource.addMethod('ANY', toApp, withKey);
    }
  }

  /** What API Gateway itself answers looks like what the app answers. */
  private addErrors(): void {
    const message = { 'application/json': '{"message":$context.error.messageString}' };
    const responseHeaders = ERROR_HEADERS;
    this.api.addGatewayResponse('ClientError', { type: ResponseType.DEFAULT_4XX, templates: message, responseHeaders });
    this.api.addGatewayResponse('ServerError', { type: ResponseType.DEFAULT_5XX, templates: message, responseHeaders });
    // Not telling a path that does not exist from one whose key is missing is the key's whole point.
    this.api.addGatewayResponse('Forbidden', {
      type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
      statusCode: '403',
      responseHeaders,
      templates: { 'application/json': '{"message":"Forbidden"}' },
    });
  }

  private addKey(envName: string): ApiKey {
    const key = this.api.addApiKey('Key', {
      apiKeyName: `prewarm_${envName}`,
      description: `For clients of the environment ${envName}`,
    }) as ApiKey;
    const plan = this.api.addUsagePlan('Plan', {
      name: `prewarm_${envName}`,
      description: 'What one key may ask',
      throttle: { rateLimit: KEY_LIMITS.rateLimit, burstLimit: KEY_LIMITS.burstLimit },
      quota: { limit: KEY_LIMITS.perDay, period: Period.DAY },
    });
    plan.addApiStage({ stage: this.api.deploymentStage });
    plan.addApiKey(key);
    return key;
  }

  /** A change of the parameter takes effect with the next deployment of the stage; so does one of the context, which makes a deployment. */
  private limitReach({ access, vpcEndpointId }: RequestApiProps): void {
    const api = this.api.node.defaultChild as CfnRestApi;
    const anywhere = publicPolicy(access, OPEN_PATHS);
    if (vpcEndpointId === undefined) {
      if (anywhere !== null) api.addPropertyOverride('Policy', anywhere);
      return;
    }
    const isPrivate = new CfnCondition(this, 'IsPrivate', { expression: Fn.conditionNot(Fn.conditionEquals(vpcEndpointId, '')) });
    const choose = (then: unknown, otherwise: unknown) => ({ 'Fn::If': [isPrivate.logicalId, then, otherwise] });
    const nothing = { Ref: 'AWS::NoValue' };
    api.addPropertyOverride('EndpointConfiguration', {
      Types: [choose('PRIVATE', 'REGIONAL')],
      // The only kind that a private API has; one that is to be public again must have it too.
      IpAddressType: 'dualstack',
      VpcEndpointIds: choose([vpcEndpointId], nothing),
    });
    api.addPropertyOverride('Policy', choose(privatePolicy(access, OPEN_PATHS, vpcEndpointId), anywhere ?? nothing));
  }

  private explain(): void {
    NagSuppressions.addResourceSuppressions(
      this.api,
      [
        {
          id: 'AwsSolutions-APIG2',
          reason: 'The app validates, field by field, with messages that name the field; a model here would answer before it.',
        },
        {
          id: 'AwsSolutions-APIG3',
          reason: 'Whether a web ACL is wanted, and which, depends on the account; it can be put before the stage.',
        },
        {
          id: 'AwsSolutions-APIG4',
          reason: 'Clients have a key, which every method asks for but those of the public document and the health check.',
        },
        {
          id: 'AwsSolutions-APIG6',
          reason:
            "API Gateway makes the log group of execution logs itself, and it outlives the API. The access log has each request's status and error.",
        },
        { id: 'AwsSolutions-COG4', reason: 'Clients are scripts with a key, not people who sign in.' },
        {
          id: 'AwsSolutions-IAM4',
          reason: "The account-wide logging role, as API Gateway's own console makes it.",
          appliesTo: ['Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs'],
        },
      ],
      true,
    );
  }
}
