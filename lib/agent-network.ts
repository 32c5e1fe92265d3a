import { GatewayVpcEndpointAwsService, IpAddresses, type IVpc, Peer, Port, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { NagSuppressions } from 'cdk-nag';
import { Construct, type IDependable } from 'constructs';

/** Where agents run. The strings may be tokens, the lists parameters. */
export interface AgentPlacement {
  readonly subnetIds: string[];
  readonly securityGroupIds: string[];
  /** Name of an EC2 key pair; absent: none. */
  readonly keyName?: string;
  /** Routes to the internet that the same stack makes; absent: they are there already. */
  readonly wayOut?: readonly IDependable[];
}

/**
 * A VPC for nothing but agents: public subnets, because they download from public addresses and a NAT would cost more per
 * gigabyte than all the rest. Nothing gets in; S3 and DynamoDB are reached through gateways, which are free.
 */
export class AgentNetwork extends Construct {
  readonly placement: AgentPlacement;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.83.0.0/16'),
      natGateways: 0,
      // Every region has two zones or more.
      maxAzs: 2,
      subnetConfiguration: [{ name: 'agents', subnetType: SubnetType.PUBLIC, cidrMask: 18 }],
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDB: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
      // Emptying it takes a function and a role that may change security groups. Nothing is ever put into it.
      restrictDefaultSecurityGroup: false,
    });
    const group = new SecurityGroup(this, 'Agents', {
      // As CDK's own types want it, which know no exact optional properties.
      vpc: vpc as IVpc,
      description: 'Agents: nothing in, HTTP and HTTPS out',
      allowAllOutbound: false,
    });
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(80), 'HTTP to the edge');
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'HTTPS to the edge and to AWS');
    this.placement = {
      subnetIds: vpc.publicSubnets.map((subnet) => subnet.subnetId),
      securityGroupIds: [group.securityGroupId],
      wayOut: vpc.publicSubnets.map((subnet) => subnet.internetConnectivityEstablished),
    };
    NagSuppressions.addResourceSuppressions(vpc, [
      {
        id: 'AwsSolutions-VPC7',
        reason:
          'Nothing listens in this VPC, and it is empty but for the minutes of a request. What agents download is in the results, address by address.',
      },
    ]);
  }
}
