import { CfnParameter, type Stack } from 'aws-cdk-lib';

/** The parameter `envName` of a stack, as a token. `ended` says which names end with it. */
export function createEnvName(stack: Stack, defaultEnvName: string, ended: string): string {
  return new CfnParameter(stack, 'envName', {
    type: 'String',
    default: defaultEnvName,
    description: `Ends the names of ${ended}. Fixed at the first deploy: for another environment deploy with -c env=`,
    allowedPattern: '[A-Za-z0-9-]{1,20}',
    constraintDescription: 'must be 1 to 20 letters, digits and hyphens',
  }).valueAsString;
}
