import { registerDeploymentTests } from './deployment-tests.ts';

registerDeploymentTests('with IAM not enforced', false);
