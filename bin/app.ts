import { App } from 'aws-cdk-lib';
import { CloudfrontDynamicAPIStack } from '../lib/cloudfront-dynamic-api-stack.ts';
import { readKeepWarmContext } from '../lib/keep-warm-context.ts';
import { LambdaPrewarmStack } from '../lib/lambda-prewarm-stack.ts';
import { PrewarmExistingVpcStack } from '../lib/prewarm-existing-vpc-stack.ts';
import { PrewarmStack } from '../lib/prewarm-stack.ts';
import { readDeployContext } from '../lib/deploy-context.ts';

const app = new App();
const { defaultEnvName, retainData, nameStack } = readDeployContext(app.node);

new PrewarmStack(app, nameStack('PrewarmStack'), { defaultEnvName, retainData });
new PrewarmExistingVpcStack(app, nameStack('PrewarmExistingVpcStack'), { defaultEnvName, retainData });
new LambdaPrewarmStack(app, nameStack('LambdaPrewarmStack'), { defaultEnvName, context: readKeepWarmContext(app.node) });
new CloudfrontDynamicAPIStack(app, nameStack('CloudfrontDynamicAPIStack'));

app.synth();
