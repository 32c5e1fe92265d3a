import { CfnParameter, type Stack } from 'aws-cdk-lib';
import { DEFAULT_MAX_INVALIDATION_PATHS, MOST_INVALIDATION_PATHS } from '../../core/request/invalidation-path.ts';
import { MAX_AGENTS } from '../../core/request/request-input.ts';
import { MAX_IN_FLIGHT } from '../../core/work/lanes.ts';
import { createEnvName } from '../shared/deploy-context.ts';

/** What both stacks let the user set. */
export interface StackParameters {
  readonly envName: string;
  readonly showSuccessUrls: string;
  readonly allowedDomains: string;
  readonly maxTargets: string;
  readonly maxInvalidationPaths: string;
  readonly instanceType: string;
  readonly threadNumber: string;
  readonly maxInstances: string;
  /** Minutes. */
  readonly onDemandFallback: string;
  /** A number, as a token. */
  readonly sharesAtOnce: number;
  /** Empty: nobody gets mail. */
  readonly alarmEmail: string;
}

/**
 * Graviton from its second generation on: the agents' image is arm64, and Amazon Linux 2023 does not run on the first (a1).
 * The sizes are those which the other types of the fleet come in too.
 */
const GRAVITON =
  '(t4g\\.(small|medium|large|xlarge|2xlarge)|([cmrx]\\d+g[a-z]*|i[ms]?\\d+g[a-z]*)\\.(medium|large|xlarge|(2|4|8|12|16)xlarge))';

type AddText = (id: string, props: ConstructorParameters<typeof CfnParameter>[2]) => string;

/** Parameters with these very names, `envName` being `defaultEnvName` unless it is set. */
export function createStackParameters(stack: Stack, defaultEnvName: string): StackParameters {
  const text: AddText = (id, props) => new CfnParameter(stack, id, props).valueAsString;
  return {
    envName: createEnvName(stack, defaultEnvName, 'queues, functions and the group'),
    ...createRequestLimits(text),
    ...createFleetParameters(text),
    sharesAtOnce: new CfnParameter(stack, 'SharesAtOnce', {
      type: 'Number',
      default: 2,
      minValue: 2,
      maxValue: 10,
      description:
        "How many requests are sized, and how many planned, at once; more takes more of the concurrency of the account's functions",
    }).valueAsNumber,
    alarmEmail: text('alarmEmail', {
      type: 'String',
      default: '',
      description: 'An address that is told of alarms, once it has confirmed so; empty: none',
      allowedPattern: '([^@\\s]+@[^@\\s]+)?',
      constraintDescription: 'must be one mail address, or empty',
    }),
  };
}

/** Creates the parameters that limit requests, and what the API shows of them. */
function createRequestLimits(
  text: AddText,
): Pick<StackParameters, 'showSuccessUrls' | 'allowedDomains' | 'maxTargets' | 'maxInvalidationPaths'> {
  return {
    showSuccessUrls: text('ShowSuccessUrls', {
      type: 'String',
      default: 'false',
      allowedValues: ['true', 'false'],
      description: 'Whether GET /status lists the URLs that succeeded, too',
    }),
    allowedDomains: text('AllowedDomains', {
      type: 'String',
      default: '',
      description: 'Distributions (names or aliases, with commas, or *) to warm and invalidate; empty: warm any, invalidate none',
      allowedPattern: '(\\*|[A-Za-z0-9.-]+(, *[A-Za-z0-9.-]+)*)?',
      constraintDescription: 'must be host names with commas between them, or *',
    }),
    maxTargets: text('MaxTargets', {
      type: 'Number',
      default: 100_000_000,
      minValue: 1,
      maxValue: 999_999_999,
      description: 'The most targets (URLs times POPs) of one request; a larger one is refused',
    }),
    maxInvalidationPaths: text('MaxInvalidationPaths', {
      type: 'Number',
      default: DEFAULT_MAX_INVALIDATION_PATHS,
      minValue: 1,
      maxValue: MOST_INVALIDATION_PATHS,
      description: 'The most paths that one request invalidates; CloudFront takes 0.005 US dollars for each beyond 1,000 a month',
    }),
  };
}

/** Creates the parameters of the agents' instances. */
function createFleetParameters(
  text: AddText,
): Pick<StackParameters, 'instanceType' | 'threadNumber' | 'maxInstances' | 'onDemandFallback'> {
  return {
    instanceType: text('InstanceType', {
      type: 'String',
      default: 'm6g.large',
      description:
        "The agents' preferred instance type (Graviton: the image is arm64); others of its size stand in where Spot is short of it",
      allowedPattern: GRAVITON,
      constraintDescription: 'must be a Graviton type of a usual size, such as m6g.large, c7gn.2xlarge or t4g.small',
    }),
    threadNumber: text('ThreadNumber', {
      type: 'Number',
      default: 6,
      minValue: 1,
      maxValue: MAX_IN_FLIGHT,
      description: 'Downloads in flight per agent at the least; each agent finds out how many more do good',
    }),
    maxInstances: text('MaxInstances', {
      type: 'Number',
      default: 100,
      minValue: 1,
      maxValue: MAX_AGENTS,
      description: 'The most instances that all requests together may start',
    }),
    onDemandFallback: text('OnDemandFallback', {
      type: 'Number',
      default: 10,
      minValue: 0,
      maxValue: 1440,
      description: 'Minutes after which instances that Spot has not delivered are asked for on demand; 0: never',
    }),
  };
}
