import { registerAgentPermissionTest } from './agent-permission-test.ts';
import { registerDeploymentTests } from './deployment-tests.ts';
import { registerGrantTest } from './grant-test.ts';

// The same once more: here a grant that is missing fails what needs it.
registerDeploymentTests('with IAM enforced', true, (deployment) => {
  registerAgentPermissionTest(deployment);
  registerGrantTest(deployment);
});
