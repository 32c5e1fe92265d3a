import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, type CfnResource, DockerImage, type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, type AssetCode, Code, Function as LambdaFunction, RecursiveLoop, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { buildSync } from 'esbuild';
import { METRIC_NAMESPACE } from '../../deployment/names.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Packages in CommonJS call `require`, which modules do not have. */
const REQUIRE = `import { createRequire as createRequireOfFunction } from 'node:module';
const require = createRequireOfFunction(import.meta.url);`;

function bundle(entry: string, outdir: string): true {
  const { outputFiles } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: { index: entry },
    // Source maps name files relative to where they are written. Seen from one place, the same sources are the same asset everywhere.
    outdir: join(ROOT, 'lambda'),
    write: false,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported on demand becomes a file of its own, which a cold start does not even parse.
    splitting: true,
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    sourcemap: true,
    // Frames with names and lines are what a log needs; the sources are in the repository.
    sourcesContent: false,
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const { path, contents } of outputFiles) writeFileSync(join(outdir, basename(path)), contents);
  return true;
}

/**
 * A module and all it imports, the AWS SDK included, minified, with source maps. `entry` is a path from the
 * repository's root. Bundled in this process: the CDK's own way starts npx for every function, which takes longer than esbuild.
 */
function createBundledCode(entry: string): AssetCode {
  return Code.fromAsset(join(ROOT, dirname(entry)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never started. The command tells one entry of a folder from another, so that stacks share what is bundled already.
      image: DockerImage.fromRegistry('unused'),
      command: [basename(entry)],
      local: { tryBundle: (outdir) => bundle(entry, outdir) },
    },
  });
}

export interface NodeFunctionProps {
  /** The environment's name, perhaps a token: the function is `prewarm_<name>_<envName>`. */
  readonly envName: string;
  /** What the function is called in names and logs: `get-size`. */
  readonly name: string;
  /** One sentence for people who read the list of functions. */
  readonly description: string;
  /** The file that exports `handler`, from the repository's root: `lambda/get-size/entry.ts`. */
  readonly entry: string;
  readonly timeout: Duration;
  /** MiB. A whole core comes with 1,769. */
  readonly memorySize: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the function may do beyond writing its own log. */
  readonly statements?: readonly PolicyStatement[];
  /**
   * Whether the function sends messages to the queue that wakes it. Lambda would take that for a runaway loop and drop the message
   * after some 16 turns, so such a function is exempted. Its work must end by itself.
   */
  readonly wakesItself?: boolean;
}

/**
 * A function on Node 24 (arm64), bundled with all it imports, the AWS SDK included, so that what was tested is what runs.
 * It has a role and a log group of its own, both under the stack's control: nothing is left when the stack is removed.
 */
export class NodeFunction extends Construct {
  /** As in the function's name: `get-size`. */
  readonly name: string;
  readonly handler: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    this.name = props.name;
    const functionName = `prewarm_${props.name}_${props.envName}`;
    this.logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What the function ${functionName} may do`,
    });
    // No CreateLogGroup: a last line written during removal must not bring the group back.
    this.role.addToPolicy(
      new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [this.logGroup.logGroupArn] }),
    );
    for (const statement of props.statements ?? []) this.role.addToPolicy(statement);
    this.handler = new LambdaFunction(this, 'Handler', {
      functionName,
      description: props.description,
      code: createBundledCode(props.entry),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: props.timeout,
      memorySize: props.memorySize,
      role: this.role,
      logGroup: this.logGroup,
      ...(props.wakesItself === true ? { recursiveLoop: RecursiveLoop.ALLOW } : {}),
      environment: {
        NODE_OPTIONS: '--enable-source-maps',
        POWERTOOLS_SERVICE_NAME: props.name,
        POWERTOOLS_METRICS_NAMESPACE: METRIC_NAMESPACE,
        POWERTOOLS_LOG_LEVEL: 'INFO',
        ...props.environment,
      },
    });
    dependOnPolicyAlone(this.handler, this.role);
  }
}

/** The CDK has the function wait for its role's policy, as it must, and for the role, which it refers to: linters object to the latter. */
function dependOnPolicyAlone(handler: LambdaFunction, role: Role): void {
  const policy = role.node.findChild('DefaultPolicy').node.defaultChild as CfnResource;
  (handler.node.defaultChild as CfnResource).addOverride('DependsOn', [policy.logicalId]);
}
