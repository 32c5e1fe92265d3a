import { CfnParameter, type Stack } from 'aws-cdk-lib';
import { DEFAULT_PER_MINUTE } from '../../core/keep-warm/route-list.ts';
import { MAX_REQUESTS_PER_POP, type RouteInput } from '../../core/keep-warm/validate-route.ts';
import { createEnvName } from '../shared/deploy-context.ts';
import { describeLoad, type KeepWarmLoad, requestsPerDay } from '../../core/keep-warm/budget.ts';
import { listPrices, monthlyCost } from '../../deployment/monthly-cost.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** The one route that parameters describe. */
export interface RouteParameters {
  readonly customDomain: string;
  readonly distributionDomainName: string;
  readonly urlPath: string;
  readonly popList: CfnParameter;
  readonly requestsPerPop: string;
  readonly method: string;
}

/** What holds for all routes. */
export interface KeepWarmParameters {
  readonly envName: string;
  readonly rate: string;
  readonly maxRequestsPerDay: string;
  /** Empty: none. */
  readonly headersSecret: CfnParameter;
}

type Props = ConstructorParameters<typeof CfnParameter>[2];

const DEFAULT_RATE = 'rate(1 minute)';
export const SECRET_ARN = '(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@-]+)?';
const DEFAULT_MAX_REQUESTS = 1_000_000;

/** All that is checked here is the form; the budget's function looks at the values before anything is scheduled. */
export function createKeepWarmParameters(stack: Stack, defaultEnvName: string): KeepWarmParameters {
  const text = (id: string, props: Props) => new CfnParameter(stack, id, { type: 'String', ...props });
  return {
    envName: createEnvName(stack, defaultEnvName, 'function, schedule and alarms'),
    rate: text('rate', {
      default: DEFAULT_RATE,
      description: 'How often a run is started: rate(N minutes), or cron(...) in UTC',
      allowedPattern: '(rate|cron)\\([0-9A-Za-z*?,/# -]+\\)',
      constraintDescription: 'must be rate(1 minute) or slower, or a cron(...) of six fields',
    }).valueAsString,
    maxRequestsPerDay: text('maxRequestsPerDay', {
      type: 'Number',
      default: DEFAULT_MAX_REQUESTS,
      minValue: 1,
      description: 'The deploy fails where POPs x requests x runs per day would pass this',
    }).valueAsString,
    headersSecret: text('headersSecret', {
      default: '',
      noEcho: true,
      description:
        'ARN of a secret of this region with request headers, one "Name: value" a line, or JSON, encrypted with the default key; empty: none',
      allowedPattern: SECRET_ARN,
      constraintDescription: 'must be the whole ARN of a secret, or empty',
    }),
  };
}

export function createRouteParameters(stack: Stack): RouteParameters {
  const text = (id: string, props: Props) => new CfnParameter(stack, id, { type: 'String', ...props });
  const host = '[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+';
  return {
    customDomain: text('customDomain', {
      description: 'The name viewers use: an alias of the distribution, or its own name',
      allowedPattern: host,
      constraintDescription: 'must be a host name without scheme and path',
    }).valueAsString,
    distributionDomainName: text('distributionDomainName', {
      description: "The distribution's own name, as in d111111abcdef8.cloudfront.net",
      allowedPattern: '[A-Za-z0-9-]+\\.cloudfront\\.(net|cn)',
      constraintDescription: "must be the distribution's own name, as in d111111abcdef8.cloudfront.net",
    }).valueAsString,
    urlPath: text('urlPath', {
      description: 'The path to ask for, as in /api/time; a cheap one, whose answer is not cached',
      allowedPattern: '/[!-~]*',
      constraintDescription: 'must start with a slash, without blanks',
    }).valueAsString,
    popList: new CfnParameter(stack, 'popList', {
      type: 'CommaDelimitedList',
      description: 'The POPs that viewers use, as in HKG62-C1,SIN2-P1 (x-amz-cf-pop in their answers)',
    }),
    requestsPerPop: text('requestsPerPop', {
      type: 'Number',
      default: DEFAULT_PER_MINUTE,
      minValue: 1,
      maxValue: MAX_REQUESTS_PER_POP,
      description: 'Requests through each POP in each run; two for each of its addresses do for a keep-alive time-out of 60 s',
    }).valueAsString,
    method: text('method', { default: 'GET', allowedValues: ['GET', 'HEAD'], description: 'How the path is asked for' }).valueAsString,
  };
}

const RUNS_PER_DAY = 1440;
/** One of each price, where no POP is known yet. */
const EXAMPLES = ['IAD89-P1', 'FRA56-P4', 'GRU3-P1'];

const dollars = (amount: number) => `$${amount.toFixed(2)}`;

const regionText = (priceRegion: string) => (priceRegion === 'unknown' ? 'unknown, taken for the dearest' : priceRegion);

/** Describes what 30 days cost in USD, for the synthesis to print: for the routes, or (null) for one POP by the parameters' defaults. */
export function describeCost(routes: readonly RouteInput[] | null): string {
  const load: KeepWarmLoad = {
    routes: routes?.map(({ route }) => route) ?? [{ pops: EXAMPLES, requestsPerPop: DEFAULT_PER_MINUTE }],
    runsPerDay: RUNS_PER_DAY,
  };
  const cost = monthlyCost(load, listPrices(), popCatalogue());
  const pops = cost.pops.map(
    ({ pop, priceRegion, cloudFront, monitoring }) =>
      `\n  ${pop} (${regionText(priceRegion)}) ${dollars(cloudFront)} for requests + ${dollars(monitoring)} for metrics and its alarm`,
  );
  const what =
    routes === null ? `With the defaults, ${DEFAULT_PER_MINUTE} requests a minute, a POP costs a month, for example` : describeLoad(load);
  const sum = routes === null ? '' : `\nTogether ${dollars(cost.total)} a month.`;
  const isTooMuch = routes !== null && requestsPerDay(load) > DEFAULT_MAX_REQUESTS;
  const limit = isTooMuch
    ? `\nDeploy with --parameters maxRequestsPerDay=${requestsPerDay(load)}: unless it is set, ${DEFAULT_MAX_REQUESTS} is the limit.`
    : '';
  return `${what}:${pops.join('')}\nFunction and dashboard cost ${dollars(cost.fixed)} a month besides, however many POPs there are.${sum}${limit}`;
}
