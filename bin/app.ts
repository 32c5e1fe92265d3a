import { App } from 'aws-cdk-lib';
import { PrewarmExistingVpcStack } from '../lib/prewarm-existing-vpc-stack.ts';
import { PrewarmStack } from '../lib/prewarm-stack.ts';
import { readDeployContext } from '../lib/deploy-context.ts';

const app = new App();
const { defaultEnvName, retainData, nameStack } = readDeployContext(app.node);

new PrewarmStack(app, nameStack('PrewarmStack'), { defaultEnvName, retainData });
new PrewarmExistingVpcStack(app, nameStack('PrewarmExistingVpcStack'), { defaultEnvName, retainData });

app.synth();
