import { type CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { ROW_LIFETIME_DAYS } from '../../deployment/tables.ts';

export interface ListBucketProps {
  /** Keep the bucket and what is in it when the stack is removed. */
  readonly retainData: boolean;
}

/** Where the results of tasks are: whoever writes one first decides what happened to the task. */
export const RESULT_KEYS = 'requests/*/results/*';

/** The name under which the CDK keeps, once per stack, the function that empties buckets before they are deleted. */
const EMPTYING = 'Custom::S3AutoDeleteObjectsCustomResourceProvider';

/** Lists, results and reports: private, over TLS only, and gone as soon as the rows that name them. */
export class ListBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { retainData }: ListBucketProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      lifecycleRules: [
        {
          id: 'expire-with-the-rows',
          expiration: Duration.days(ROW_LIFETIME_DAYS),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
      removalPolicy: retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      autoDeleteObjects: !retainData,
    });
    this.writeResultsOnce();
    if (!retainData) this.leaveNoLogBehind();
    NagSuppressions.addResourceSuppressions(this.bucket, [
      {
        id: 'AwsSolutions-S1',
        reason:
          'An access log would need a second bucket, which is written by AWS and stays. Agents write one object per task: data events of CloudTrail tell more, for whoever wants them.',
      },
    ]);
  }

  /**
   * A result is put with `If-None-Match`, so that none is replaced. The parts of a multipart upload cannot carry that header, and S3
   * refuses them here too: a result is one PutObject. docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
   */
  private writeResultsOnce(): void {
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: [this.bucket.arnForObjects(RESULT_KEYS)],
        conditions: { Null: { 's3:if-none-match': 'true' } },
      }),
    );
  }

  /** The CDK's function would make its log group itself, at its last call, and nobody would delete it. */
  private leaveNoLogBehind(): void {
    const log = new LogGroup(this, 'EmptyingLog', { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
    const provider = Stack.of(this).node.findChild(EMPTYING);
    const role = provider.node.findChild('Role') as CfnResource;
    const handler = provider.node.findChild('Handler') as CfnResource;
    const statement = { Effect: 'Allow', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: log.logGroupArn };
    role.addPropertyDeletionOverride('ManagedPolicyArns');
    role.addPropertyOverride('Policies', [{ PolicyName: 'Log', PolicyDocument: { Version: '2012-10-17', Statement: [statement] } }]);
    // It refers to its role anyhow.
    handler.removeResourceDependency(role);
    handler.addPropertyOverride('LoggingConfig', { LogGroup: log.logGroupName });
  }
}
