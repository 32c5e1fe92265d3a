import { registerBadInputTest } from './bad-input-test.ts';
import { describeDeployment } from './deployment-suite.ts';
import { registerCommandTest, registerFleetTests, registerTimeoutTests, registerTimingTest } from './fleet-tests.ts';
import { registerFlowTests, registerRequestTests } from './request-tests.ts';

const TITLE = 'with IAM not enforced';

describeDeployment(TITLE, { auth: false }, (deployment) => {
  const timeout = registerTimeoutTests(deployment);
  registerFlowTests(deployment);
  timeout.begin();
  registerRequestTests(deployment);
  registerCommandTest(deployment);
  registerTimingTest(TITLE, deployment);
  registerFleetTests(deployment);
  registerBadInputTest(deployment);
  timeout.end();
});
