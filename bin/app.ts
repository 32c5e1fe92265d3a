import { App } from 'aws-cdk-lib';
import { describeFault, InvalidInput } from '../core/errors.ts';
import { CloudfrontDynamicAPIStack } from '../lib/dynamic-origin/cloudfront-dynamic-api-stack.ts';
import { readKeepWarmContext } from '../lib/keep-warm/keep-warm-context.ts';
import { LambdaPrewarmStack } from '../lib/keep-warm/lambda-prewarm-stack.ts';
import { PrewarmExistingVpcStack, PrewarmStack } from '../lib/prewarm/prewarm-stack.ts';
import { readDeployContext } from '../lib/shared/deploy-context.ts';

/** Everything that can be deployed. Throws InvalidInput for a context that is wrong, before any stack is made. */
function createStacks(app: App): void {
  const { defaultEnvName, retainData, access, nameStack } = readDeployContext(app.node);
  const context = readKeepWarmContext(app.node);
  new PrewarmStack(app, nameStack('PrewarmStack'), { defaultEnvName, retainData, access });
  new PrewarmExistingVpcStack(app, nameStack('PrewarmExistingVpcStack'), { defaultEnvName, retainData, access });
  new LambdaPrewarmStack(app, nameStack('LambdaPrewarmStack'), { defaultEnvName, context });
  new CloudfrontDynamicAPIStack(app, nameStack('CloudfrontDynamicAPIStack'));
}

// By itself it would synthesize at the end, a context that was refused included.
const app = new App({ autoSynth: false });
try {
  createStacks(app);
  app.synth();
} catch (error) {
  if (!(error instanceof InvalidInput)) throw error;
  process.stderr.write(
    `Nothing was synthesized, because the context is not right:\n${error.faults.map((fault) => `  ${describeFault(fault)}\n`).join('')}`,
  );
  process.exitCode = 1;
}
