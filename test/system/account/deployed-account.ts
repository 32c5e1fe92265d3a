import { APIGatewayClient, GetApiKeyCommand } from '@aws-sdk/client-api-gateway';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';

/** Where a deployed stack's API is, and its key. */
export interface DeployedAccount {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

/** Reads a stack's outputs and its key with the credentials at hand. `endpoint` stands in for the URL that the stack tells. */
export async function readDeployedAccount(stackName: string, endpoint?: string): Promise<DeployedAccount> {
  const stacks = new CloudFormationClient();
  const gateway = new APIGatewayClient();
  try {
    const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: stackName }));
    const outputs = new Map(Stacks[0]?.Outputs?.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]));
    const read = (name: string): string => {
      const value = outputs.get(name);
      if (value === undefined)
        throw new Error(`the stack ${stackName} has no output ${name}: is it PrewarmStack or PrewarmExistingVpcStack?`);
      return value;
    };
    const told = read('prewarmapiEndpoint');
    if (read('PrewarmStatusApiEndpoint') !== told) throw new Error(`the outputs of ${stackName} tell two different endpoints`);
    const keyId = read('prewarmapikeyoutput').split('/').at(-1);
    const { value: key } = await gateway.send(new GetApiKeyCommand({ apiKey: keyId, includeValue: true }));
    if (key === undefined) throw new Error(`the key ${keyId} of ${stackName} has no value`);
    return { url: (endpoint ?? told).replace(/\/$/, ''), key };
  } finally {
    stacks.destroy();
    gateway.destroy();
  }
}
