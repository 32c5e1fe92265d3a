import type { ListPrices } from '../deployment/monthly-cost.ts';

/** What AWS bills of a piece of work, each in its own unit. */
export type Usage = Readonly<Record<UsageKind, number>>;

export type UsageKind =
  /** Calls, more than one where a call carries more than 64 KiB. */
  | 'sqsRequests'
  /** Write request units: 1 KB each, twice that in a transaction, an index's own included. */
  | 'dynamoWrites'
  /** Read request units: 4 KB strongly consistent, half of one otherwise. */
  | 'dynamoReads'
  /** PUT, POST and LIST. */
  | 's3Puts'
  /** GET and HEAD. */
  | 's3Gets'
  | 'lambdaCalls'
  | 'lambdaGbSeconds'
  /** Sent to a bus of one's own. */
  | 'busEvents'
  | 'topicMessages'
  | 'apiCalls'
  | 'logBytes';

export const USAGE_NAMES: Readonly<Record<UsageKind, string>> = {
  s3Puts: 'S3: PUT',
  s3Gets: 'S3: GET and HEAD',
  sqsRequests: 'SQS: requests',
  dynamoWrites: 'DynamoDB: write units',
  dynamoReads: 'DynamoDB: read units',
  lambdaCalls: 'Lambda: invocations',
  lambdaGbSeconds: 'Lambda: GB-seconds',
  logBytes: 'CloudWatch: log bytes',
  busEvents: 'EventBridge: events',
  topicMessages: 'SNS: messages',
  apiCalls: 'API Gateway: calls',
};

export const USAGE_KINDS = Object.keys(USAGE_NAMES) as readonly UsageKind[];

export const NO_USAGE = Object.fromEntries(USAGE_KINDS.map((kind) => [kind, 0])) as Usage;

/** `a` plus `times` times `b`. */
export function addUsage(a: Usage, b: Partial<Usage>, times = 1): Usage {
  return Object.fromEntries(USAGE_KINDS.map((kind) => [kind, a[kind] + times * (b[kind] ?? 0)])) as Usage;
}

/** USD of each kind. */
export function priceUsage(usage: Usage, prices: ListPrices): Usage {
  const million = (kind: UsageKind, price: number) => (usage[kind] * price) / 1e6;
  return {
    sqsRequests: million('sqsRequests', prices.sqs.perMillion),
    dynamoWrites: million('dynamoWrites', prices.dynamoDb.writesPerMillion),
    dynamoReads: million('dynamoReads', prices.dynamoDb.readsPerMillion),
    s3Puts: (usage.s3Puts * prices.s3.putsPerThousand) / 1e3,
    s3Gets: (usage.s3Gets * prices.s3.getsPerThousand) / 1e3,
    lambdaCalls: million('lambdaCalls', prices.lambda.perMillion),
    lambdaGbSeconds: usage.lambdaGbSeconds * prices.lambda.perGbSecond,
    busEvents: million('busEvents', prices.eventBridge.perMillion),
    topicMessages: million('topicMessages', prices.sns.perMillion),
    apiCalls: million('apiCalls', prices.apiGateway.perMillion),
    logBytes: (usage.logBytes * prices.cloudWatch.logsPerGb) / 1e9,
  };
}

export function totalOf(priced: Usage): number {
  return USAGE_KINDS.reduce((sum, kind) => sum + priced[kind], 0);
}

/** A request's usage and how many targets it had. */
export interface SizedUsage {
  readonly targets: number;
  readonly usage: Usage;
}

/**
 * The line through two requests of different sizes: what each of a million targets adds, and what a request takes however
 * small it is. What noise would make negative counts as nothing, and is then all in the other.
 */
export function fitLine(small: SizedUsage, large: SizedUsage): { readonly perMillion: Usage; readonly perRequest: Usage } {
  const line = (kind: UsageKind) => {
    const slope = Math.max(0, (large.usage[kind] - small.usage[kind]) / (large.targets - small.targets));
    const fixed = large.usage[kind] - slope * large.targets;
    return fixed >= 0 ? { slope, fixed } : { slope: large.usage[kind] / large.targets, fixed: 0 };
  };
  const lines = USAGE_KINDS.map((kind) => [kind, line(kind)] as const);
  return {
    perMillion: Object.fromEntries(lines.map(([kind, { slope }]) => [kind, slope * 1e6])) as Usage,
    perRequest: Object.fromEntries(lines.map(([kind, { fixed }]) => [kind, fixed])) as Usage,
  };
}
