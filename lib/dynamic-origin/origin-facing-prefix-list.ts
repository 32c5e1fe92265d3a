import { CfnCondition, CfnMapping, type CfnParameter, CfnRule, Fn, type Stack } from 'aws-cdk-lib';

/**
 * Ids of `com.amazonaws.global.cloudfront.origin-facing`, the prefix list of the servers that CloudFront reaches origins from. Each
 * region has its own, and CloudFormation offers no way to look one up:
 * aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values=com.amazonaws.global.cloudfront.origin-facing
 */
const IDS: Readonly<Record<string, string>> = {
  'af-south-1': 'pl-c0aa4fa9',
  'ap-east-1': 'pl-14b2577d',
  'ap-northeast-1': 'pl-58a04531',
  'ap-northeast-2': 'pl-22a6434b',
  'ap-northeast-3': 'pl-31a14458',
  'ap-south-1': 'pl-9aa247f3',
  'ap-southeast-1': 'pl-31a34658',
  'ap-southeast-2': 'pl-b8a742d1',
  'ca-central-1': 'pl-38a64351',
  'eu-central-1': 'pl-a3a144ca',
  'eu-north-1': 'pl-fab65393',
  'eu-south-1': 'pl-1bbc5972',
  'eu-west-1': 'pl-4fa04526',
  'eu-west-2': 'pl-93a247fa',
  'eu-west-3': 'pl-75b1541c',
  'me-south-1': 'pl-17b2577e',
  'sa-east-1': 'pl-5da64334',
  'us-east-1': 'pl-3b927c52',
  'us-east-2': 'pl-b6a144df',
  'us-west-1': 'pl-4ea04527',
  'us-west-2': 'pl-82a045eb',
};

/**
 * Regions whose id is not known here: a key that a mapping lacks fails a deploy even where a condition asks for another value. A region
 * that is newer than this list is added here, and so takes the parameter.
 */
const UNKNOWN = [
  'ap-east-2',
  'ap-south-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'ap-southeast-6',
  'ap-southeast-7',
  'ca-west-1',
  'cn-north-1',
  'cn-northwest-1',
  'eu-central-2',
  'eu-south-2',
  'eusc-de-east-1',
  'il-central-1',
  'me-central-1',
  'mx-central-1',
  'sa-west-1',
  'us-gov-east-1',
  'us-gov-west-1',
];

/** The region's id, or the parameter's where it is set; in a region whose id is not known it has to be. */
export function originFacingPrefixList(stack: Stack, given: CfnParameter): string {
  const ids = [...Object.entries(IDS), ...UNKNOWN.map((region) => [region, 'unknown'] as const)];
  const mapping = new CfnMapping(stack, 'OriginFacing', { mapping: Object.fromEntries(ids.map(([region, id]) => [region, { id }])) });
  const isSet = Fn.conditionNot(Fn.conditionEquals(given.valueAsString, ''));
  new CfnRule(stack, 'PrefixListIsKnown', {
    assertions: [
      {
        assert: Fn.conditionOr(isSet, Fn.conditionNot(Fn.conditionContains(UNKNOWN, stack.region))),
        assertDescription: `${given.logicalId} is needed in this region: aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values=com.amazonaws.global.cloudfront.origin-facing tells it`,
      },
    ],
  });
  const isGiven = new CfnCondition(stack, 'PrefixListIsGiven', { expression: isSet });
  return Fn.conditionIf(isGiven.logicalId, given.valueAsString, mapping.findInMap(stack.region, 'id')).toString();
}
