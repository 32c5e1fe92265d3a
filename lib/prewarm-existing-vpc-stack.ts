import { type App, CfnParameter, CfnRule, Fn, Stack } from 'aws-cdk-lib';
import { composeSystem } from './compose-system.ts';
import type { PrewarmStackProps } from './prewarm-stack.ts';
import { createStackParameters } from './stack-parameters.ts';

/** The system with its agents in a VPC that is there already, and its API, if so wished, behind that VPC's endpoint only. */
export class PrewarmExistingVpcStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, retainData }: PrewarmStackProps) {
    super(app, id, { description: 'Pre-warms CloudFront: API, functions and agents, in a VPC that is there already' });
    const parameters = createStackParameters(this, defaultEnvName);
    const vpc = this.addParameter('vpc', 'AWS::EC2::VPC::Id', 'The VPC that the subnets are in');
    const subnet = this.addParameter(
      'subnet',
      'List<AWS::EC2::Subnet::Id>',
      'Subnets of the VPC for the agents, with a way to the internet (a public address or a NAT)',
    );
    const group = this.addParameter(
      'sg',
      'AWS::EC2::SecurityGroup::Id',
      'A security group of the VPC for the agents: nothing in, HTTP and HTTPS out',
    );
    const key = this.addParameter('key', 'AWS::EC2::KeyPair::KeyName', "The name of an EC2 key pair for the agents' instances");
    const vpce = new CfnParameter(this, 'vpce', {
      type: 'String',
      default: '',
      description:
        'An interface endpoint for execute-api: the API is private then, and reached through it only. Empty: public, with its key. A later change takes effect when the stage is deployed again',
      allowedPattern: '(vpce-[0-9a-f]{8,32})?',
      constraintDescription: 'must be the id of a VPC endpoint (vpce-...), or empty',
    });
    this.tieToVpc(vpc);
    composeSystem(this, {
      parameters,
      placement: { subnetIds: subnet.valueAsList, securityGroupIds: [group.valueAsString], keyName: key.valueAsString },
      vpcEndpointId: vpce.valueAsString,
      retainData,
    });
  }

  /** Required: there is no default. */
  private addParameter(id: string, type: string, description: string): CfnParameter {
    return new CfnParameter(this, id, { type, description });
  }

  /** Before anything is made, CloudFormation looks every subnet up. A security group's VPC is nothing it can look up. */
  private tieToVpc(vpc: CfnParameter): void {
    new CfnRule(this, 'SubnetsAreInVpc', {
      assertions: [
        {
          assert: Fn.conditionEachMemberEquals(Fn.valueOf('subnet', 'VpcId') as unknown as string[], vpc.valueAsString),
          assertDescription: 'Every subnet must be one of the VPC given as vpc',
        },
      ],
    });
  }
}
