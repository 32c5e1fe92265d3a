import { Aws, CfnCondition, Fn, Stack } from 'aws-cdk-lib';
import {
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  type PublicSubnet,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { NagSuppressions } from 'cdk-nag';
import { Construct, type IDependable } from 'constructs';
import { MOST_ZONES, type Zones } from '../shared/ec2.ts';

/** Where agents run. The strings may be tokens, the lists parameters. */
export interface AgentPlacement {
  readonly subnetIds: string[];
  readonly securityGroupIds: string[];
  /** Name of an EC2 key pair; absent: none. */
  readonly keyName?: string;
  /** Routes to the internet that the same stack makes; absent: they are there already. */
  readonly wayOut?: readonly IDependable[];
  /** Tokens of what belongs to the way out under conditions, on which nothing may depend by name; absent: nothing does. */
  readonly conditionalWayOut?: readonly string[];
}

interface Subnets {
  readonly subnetIds: string[];
  /** Associations with their routes. */
  readonly routes: readonly string[];
}

/**
 * A VPC for nothing but agents: public subnets, because they download from public addresses and a NAT would cost more per
 * gigabyte than all the rest. Nothing gets in; S3 and DynamoDB are reached through gateways, which are free.
 */
export class AgentNetwork extends Construct {
  readonly placement: AgentPlacement;

  constructor(scope: Construct, id: string, zones: Zones) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.83.0.0/16'),
      natGateways: 0,
      // Every region has two zones or more; the others are added below, where they are asked for.
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
    const { subnetIds, routes } = this.createSubnets(vpc, zones);
    this.placement = {
      subnetIds,
      securityGroupIds: [group.securityGroupId],
      wayOut: vpc.publicSubnets.map((subnet) => subnet.node.findChild('DefaultRoute')),
      conditionalWayOut: routes,
    };
    NagSuppressions.addResourceSuppressions(vpc, [
      {
        id: 'AwsSolutions-VPC7',
        reason:
          'Nothing listens in this VPC, and it is empty but for the minutes of a request. What agents download is in the results, address by address.',
      },
    ]);
  }

  /**
   * One subnet for each zone: two of the VPC's own, the second of which is left out where one zone is named, and up to four more in
   * the other half of the VPC's addresses. All have the same way out.
   */
  private createSubnets(vpc: Vpc, zones: Zones): Subnets {
    const [first, second] = vpc.publicSubnets.map((subnet) => subnet as PublicSubnet);
    if (first === undefined || second === undefined) throw new Error('the VPC has fewer than two subnets');
    const hasSecond = new CfnCondition(this, 'HasSecondSubnet', {
      expression: Fn.conditionOr(Fn.conditionNot(zones.isGiven(1)), zones.isGiven(2)),
    });
    moveTo(first, zones.at(1));
    moveTo(second, zones.at(2));
    for (const part of [resourceOf(second), associationOf(second)]) part.cfnOptions.condition = hasSecond;
    const subnetIds = [first.subnetId, whereThere(hasSecond, second.subnetId)];
    const routes = [associationOf(first).ref, whereThere(hasSecond, associationOf(second).ref)];
    for (let place = 3; place <= MOST_ZONES; place++) {
      const isThere = zones.isGiven(place);
      const subnet = new CfnSubnet(this, `Zone${place}`, {
        vpcId: vpc.vpcId,
        availabilityZone: zones.named(place),
        cidrBlock: `10.83.${128 + 32 * (place - 3)}.0/19`,
        mapPublicIpOnLaunch: true,
        tags: [{ key: 'Name', value: `${Stack.of(this).stackName}/agents-${place}` }],
      });
      const association = new CfnSubnetRouteTableAssociation(this, `Zone${place}Routes`, {
        subnetId: subnet.ref,
        routeTableId: first.routeTable.routeTableId,
      });
      for (const part of [subnet, association]) part.cfnOptions.condition = isThere;
      subnetIds.push(whereThere(isThere, subnet.ref));
      routes.push(whereThere(isThere, association.ref));
    }
    return { subnetIds, routes };
  }
}

const resourceOf = (subnet: PublicSubnet) => subnet.node.defaultChild as CfnSubnet;

const associationOf = (subnet: PublicSubnet) => subnet.node.findChild('RouteTableAssociation') as CfnSubnetRouteTableAssociation;

function moveTo(subnet: PublicSubnet, zone: string): void {
  resourceOf(subnet).addPropertyOverride('AvailabilityZone', zone);
}

function whereThere(condition: CfnCondition, id: string): string {
  return Fn.conditionIf(condition.logicalId, id, Aws.NO_VALUE).toString();
}
