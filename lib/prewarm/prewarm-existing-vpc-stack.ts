import { type App, Aws, CfnCondition, CfnParameter, CfnRule, Fn, Stack } from 'aws-cdk-lib';
import { composeSystem } from './compose-system.ts';
import type { PrewarmStackProps } from './prewarm-stack.ts';
import { createStackParameters } from './stack-parameters.ts';

/** The system with its agents in a VPC that is there already, and its API, if so wished, behind that VPC's endpoint only. */
export class PrewarmExistingVpcStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, retainData, access }: PrewarmStackProps) {
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
    // A parameter of the type of key pairs cannot be empty.
    const key = new CfnParameter(this, 'key', {
      type: 'String',
      default: '',
      description: "The name of an EC2 key pair for the agents' instances; empty: none, since Session Manager leads to them",
      allowedPattern: '([ -~]{1,255})?',
      constraintDescription: 'must be the name of a key pair, or empty',
    });
    const hasKey = new CfnCondition(this, 'HasKey', { expression: Fn.conditionNot(Fn.conditionEquals(key.valueAsString, '')) });
    const keyName = Fn.conditionIf(hasKey.logicalId, key.valueAsString, Aws.NO_VALUE).toString();
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
      placement: { subnetIds: subnet.valueAsList, securityGroupIds: [group.valueAsString], keyName },
      vpcEndpointId: vpce.valueAsString,
      retainData,
      access,
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
          assertDescription:
            'Every subnet must be one of the VPC given as vpc. Several are separated by a comma alone: a backslash before it must not reach the stack, as it does within quotes',
        },
      ],
    });
  }
}
