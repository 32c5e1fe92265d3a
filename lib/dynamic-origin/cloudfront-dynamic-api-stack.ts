import { type App, CfnCondition, CfnMapping, CfnOutput, CfnParameter, CfnRule, Duration, Fn, Stack } from 'aws-cdk-lib';
import {
  AllowedMethods,
  CachePolicy,
  type CfnDistribution,
  Distribution,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { NagSuppressions } from 'cdk-nag';
import { SECRET_ARN } from '../keep-warm/keep-warm-parameters.ts';
import { TimeService } from './time-service.ts';
import { createZones } from '../shared/ec2.ts';

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
function originFacingPrefixList(stack: Stack, given: CfnParameter): string {
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

/** The longest that CloudFront grants without being asked. */
const KEEP_ALIVE = Duration.seconds(60);
const READ_TIMEOUT = Duration.seconds(30);
const NONE = '';

interface Parameters {
  readonly originDomainName: string;
  readonly certificateSecret: string;
  readonly prefixList: CfnParameter;
  readonly hasCertificate: CfnCondition;
}

/** A backend to try keep-warm on: a distribution that caches nothing, before a service that tells the time and of its connections. */
export class CloudfrontDynamicAPIStack extends Stack {
  constructor(app: App, id: string) {
    super(app, id, { description: 'A dynamic API behind CloudFront, for trials of keep-warm' });
    const { originDomainName, certificateSecret, prefixList, hasCertificate } = this.createParameters();
    const zones = createZones(this, 'The availability zone of the service, which must have t4g.nano; empty: the first of the region');
    const service = new TimeService(this, 'Service', {
      zone: zones.at(1),
      prefixListId: originFacingPrefixList(this, prefixList),
      certificateSecret,
      hasCertificate,
    });
    const choose = (withCertificate: string, without: string) =>
      Fn.conditionIf(hasCertificate.logicalId, withCertificate, without).toString();
    const origin = new HttpOrigin(choose(originDomainName, service.hostName), {
      protocolPolicy: OriginProtocolPolicy.HTTP_ONLY,
      keepaliveTimeout: KEEP_ALIVE,
      readTimeout: READ_TIMEOUT,
    });
    const distribution = this.createDistribution(origin);
    (distribution.node.defaultChild as CfnDistribution).addPropertyOverride(
      'DistributionConfig.Origins.0.CustomOriginConfig.OriginProtocolPolicy',
      choose(OriginProtocolPolicy.HTTPS_ONLY, OriginProtocolPolicy.HTTP_ONLY),
    );
    const host = distribution.distributionDomainName;
    const output = (name: string, value: string, description: string) => new CfnOutput(this, name, { value, description });
    output('distributionDomainName', host, 'For keep-warm: the domain, and the host too');
    output('url', `https://${host}/time`, 'What to measure: prewarm timing URL');
    output('originAddress', service.address, 'Where originDomainName has to lead, before it is set');
  }

  private createParameters(): Parameters {
    const text = (id: string, props: ConstructorParameters<typeof CfnParameter>[2]) =>
      new CfnParameter(this, id, { type: 'String', default: NONE, ...props });
    const originDomainName = text('originDomainName', {
      description: 'A name of yours that leads to the output originAddress, for HTTPS to the origin; empty: HTTP',
      allowedPattern: '([A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+)?',
      constraintDescription: 'must be a host name, or empty',
    });
    const certificateSecret = text('originCertificateSecret', {
      noEcho: true,
      description:
        "ARN of a secret of this region with that name's certificate chain and private key, as PEM, encrypted with the default key; empty: HTTP",
      allowedPattern: SECRET_ARN,
      constraintDescription: 'must be the whole ARN of a secret, or empty',
    });
    const prefixList = text('originFacingPrefixList', {
      description: 'Id of com.amazonaws.global.cloudfront.origin-facing, in a region that the template does not know; else empty',
      allowedPattern: '(pl-[0-9a-f]+)?',
      constraintDescription: 'must be the id of a prefix list, or empty',
    });
    const isEmpty = ({ valueAsString }: CfnParameter) => Fn.conditionEquals(valueAsString, NONE);
    const [name, secret] = [originDomainName, certificateSecret].map(isEmpty);
    if (name === undefined || secret === undefined) throw new Error('no parameters');
    const both = Fn.conditionAnd(name, secret);
    const neither = Fn.conditionAnd(Fn.conditionNot(name), Fn.conditionNot(secret));
    new CfnRule(this, 'BothOrNeither', {
      assertions: [
        {
          assert: Fn.conditionOr(both, neither),
          assertDescription: 'originDomainName and originCertificateSecret go together: set both for HTTPS to the origin, or neither',
        },
      ],
    });
    return {
      originDomainName: originDomainName.valueAsString,
      certificateSecret: certificateSecret.valueAsString,
      prefixList,
      hasCertificate: new CfnCondition(this, 'HasCertificate', { expression: Fn.conditionNot(secret) }),
    };
  }

  private createDistribution(origin: HttpOrigin): Distribution {
    const distribution = new Distribution(this, 'Distribution', {
      comment: 'Dynamic API for trials of keep-warm',
      httpVersion: HttpVersion.HTTP2_AND_3,
      defaultBehavior: {
        origin,
        cachePolicy: CachePolicy.CACHING_DISABLED,
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
        viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
      },
    });
    const trial = 'A backend for trials: it tells the time.';
    NagSuppressions.addResourceSuppressions(distribution, [
      { id: 'AwsSolutions-CFR1', reason: trial },
      { id: 'AwsSolutions-CFR2', reason: trial },
      { id: 'AwsSolutions-CFR3', reason: trial },
      { id: 'AwsSolutions-CFR4', reason: "It has CloudFront's own certificate and no name of its own." },
      { id: 'AwsSolutions-CFR5', reason: 'Without a certificate the origin speaks HTTP; with one, TLS 1.2.' },
    ]);
    return distribution;
  }
}
