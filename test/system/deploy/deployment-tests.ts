import { registerBadInputTest } from './bad-input-test.ts';
import { type Deployment, describeDeployment } from './deployment-suite.ts';
import { registerCommandTest, registerFleetTests, registerTimeoutTests, registerTimingTest } from './fleet-tests.ts';
import { registerFlowTests, registerRequestTests } from './request-tests.ts';

/** Registers all that is tested of a deployment, whether IAM is enforced or not, and what `more` adds where it is. */
export function registerDeploymentTests(title: string, auth: boolean, more: (deployment: Deployment) => void = () => {}): void {
  describeDeployment(title, { auth }, (deployment) => {
    const timeout = registerTimeoutTests(deployment);
    registerFlowTests(deployment);
    timeout.begin();
    registerRequestTests(deployment);
    registerCommandTest(deployment);
    registerTimingTest(title, deployment);
    registerFleetTests(deployment);
    registerBadInputTest(deployment);
    more(deployment);
    timeout.end();
  });
}
