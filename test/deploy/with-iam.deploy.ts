import { registerBadInputTest } from './bad-input-test.ts';
import { describeDeployment } from './deployment-suite.ts';
import { registerCommandTest, registerFleetTests, registerTimeoutTests, registerTimingTest } from './fleet-tests.ts';
import { registerGrantTest } from './grant-test.ts';
import { registerFlowTests, registerRequestTests } from './request-tests.ts';

const TITLE = 'with IAM enforced';

// The same once more: here a grant that is missing fails what needs it.
describeDeployment(TITLE, { auth: true }, (deployment) => {
  const timeout = registerTimeoutTests(deployment);
  registerFlowTests(deployment);
  timeout.begin();
  registerRequestTests(deployment);
  registerCommandTest(deployment);
  registerTimingTest(TITLE, deployment);
  registerFleetTests(deployment);
  registerBadInputTest(deployment);
  registerGrantTest(deployment);
  timeout.end();
});
