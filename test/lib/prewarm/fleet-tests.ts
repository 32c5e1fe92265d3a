import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, type TemplateBody } from './synthesize-stacks.ts';

const FAMILIES = ['m6g', 'm7g', 'm8g', 'c6g', 'c7g', 'c6gn', 'c7gn', 'r6g', 'r7g', 'm6gd', 'c6gd', 'x2gd', 't4g'];
const SIZES = ['medium', 'large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge'];
const TYPES = ['t4g.small', ...FAMILIES.flatMap((family) => SIZES.map((size) => `${family}.${size}`))];

export function testFleet(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('the chosen type comes first, with at least four others, and none is listed twice, whatever is chosen', () => {
    for (const { body } of both()) {
      for (const InstanceType of TYPES) {
        const types = overridesOf(body, { InstanceType });
        expect(types[0]).toBe(InstanceType);
        expect(new Set(types).size).toBe(types.length);
        expect(types.length).toBeGreaterThanOrEqual(5);
        for (const type of types) expect(type).toMatch(/^[a-z]\d+g[dn]*\.\d*[a-z]+$/);
      }
    }
  });

  test('stand-ins have the size that was chosen', () => {
    for (const InstanceType of ['c7gn.4xlarge', 'm6g.large', 't4g.2xlarge']) {
      const sizes = overridesOf(stacks().own.body, { InstanceType }).map((type) => type.split('.')[1]);
      expect(new Set(sizes).size).toBe(1);
    }
    expect(overridesOf(stacks().own.body, { InstanceType: 't4g.small' })).toContain('m6g.medium');
  });

  test('stand-ins are families that every region has, since one type that a region lacks may have the whole group refused', () => {
    const types = overridesOf(stacks().own.body, { InstanceType: 'm8g.large' });
    expect(types).toEqual(['m8g.large', 'm6g.large', 'c6g.large', 'r6g.large', 'm6gd.large', 'r7g.large']);
  });

  test('the instances are gone before their way out is removed', () => {
    const groups = resourcesOf(stacks().own.body, 'AWS::AutoScaling::AutoScalingGroup');
    expect(groups).toHaveLength(2);
    for (const [, group] of groups) {
      const routes = (group as { DependsOn?: string[] }).DependsOn ?? [];
      expect(routes.filter((id) => /^NetworkVpc.*DefaultRoute/.test(id))).toHaveLength(2);
      expect(routes).toContainEqual(expect.stringMatching(/^AgentRoleDefaultPolicy/));
    }
  });

  test('a function takes the protection of busy instances back before the group is deleted', () => {
    for (const { body } of both()) {
      const groups = resourcesOf(body, 'AWS::AutoScaling::AutoScalingGroup').map(([id]) => id);
      const [[, release] = []] = resourcesOf(body, 'Custom::FleetRelease');
      expect((release as { DependsOn?: string[] }).DependsOn).toEqual(expect.arrayContaining(groups));
      expect(release?.Properties?.['ServiceToken']).toEqual({
        'Fn::GetAtt': [expect.stringMatching(/^FunctionsShutdownHandler/), 'Arn'],
      });
    }
  });

  test('the Spot group prefers the chosen type, rebalances, and is empty at rest without a capacity that a deploy would reset', () => {
    for (const { template } of both()) {
      template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', {
        MinSize: '0',
        MaxSize: { Ref: 'MaxInstances' },
        DesiredCapacity: Match.absent(),
        CapacityRebalance: true,
        MixedInstancesPolicy: {
          InstancesDistribution: {
            OnDemandBaseCapacity: 0,
            OnDemandPercentageAboveBaseCapacity: 0,
            SpotAllocationStrategy: 'capacity-optimized-prioritized',
          },
        },
      });
    }
  });

  test('a second group starts on demand what Spot does not deliver, with the chosen type alone, in the same zones, and is empty at rest', () => {
    for (const { template, body } of both()) {
      const [[, spot] = []] = resourcesOf(body, 'AWS::AutoScaling::AutoScalingGroup');
      template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', {
        AutoScalingGroupName: { 'Fn::Join': ['', ['prewarm_asg_', { Ref: 'envName' }, '_ondemand']] },
        MinSize: '0',
        MaxSize: { Ref: 'MaxInstances' },
        DesiredCapacity: Match.absent(),
        MixedInstancesPolicy: Match.absent(),
        LaunchTemplate: { LaunchTemplateId: { Ref: Match.stringLikeRegexp('^FleetOnDemandTemplate') } },
        VPCZoneIdentifier: spot?.Properties?.['VPCZoneIdentifier'],
      });
      template.allResourcesProperties('AWS::EC2::LaunchTemplate', { LaunchTemplateData: { InstanceType: { Ref: 'InstanceType' } } });
    }
  });

  test('instances have an encrypted disk, IMDSv2 alone with one hop, and the image of the public parameter', () => {
    for (const { template, body } of both()) {
      template.resourceCountIs('AWS::EC2::LaunchTemplate', 2);
      template.allResourcesProperties('AWS::EC2::LaunchTemplate', {
        LaunchTemplateData: {
          MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1, HttpEndpoint: 'enabled' },
          BlockDeviceMappings: [{ Ebs: { Encrypted: true, VolumeType: 'gp3', DeleteOnTermination: true } }],
          ImageId: { Ref: Match.stringLikeRegexp('^SsmParameterValue') },
        },
      });
      const images = Object.values(body.Parameters).filter(({ Type }) => Type === 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>');
      expect(images.map(({ Default }) => Default)).toEqual(['/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64']);
    }
  });

  test('nothing gets into an instance, and only HTTP and HTTPS get out', () => {
    const { template, body } = stacks().own;
    template.hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: Match.absent(),
      SecurityGroupEgress: [Match.objectLike({ FromPort: 80, ToPort: 80 }), Match.objectLike({ FromPort: 443, ToPort: 443 })],
    });
    expect(resourcesOf(body, 'AWS::EC2::SecurityGroupIngress')).toEqual([]);
  });

  test('the VPC of its own has public subnets alone, free gateways to S3 and DynamoDB, and no NAT', () => {
    const { template } = stacks().own;
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
    template.allResourcesProperties('AWS::EC2::Subnet', { MapPublicIpOnLaunch: true });
    const services = Object.values(template.findResources('AWS::EC2::VPCEndpoint')).map(
      ({ Properties }) => Properties as Record<string, unknown>,
    );
    expect(services.map(({ VpcEndpointType }) => VpcEndpointType)).toEqual(['Gateway', 'Gateway']);
    expect(services.map(({ ServiceName }) => JSON.stringify(ServiceName)).toSorted()).toEqual([
      expect.stringContaining('.dynamodb'),
      expect.stringContaining('.s3'),
    ]);
  });

  test.each([
    ['', ['<first zone>', '<second zone>']],
    ['eu-west-1c', ['eu-west-1c']],
    ['eu-west-1c,eu-west-1a', ['eu-west-1c', 'eu-west-1a']],
    ['a,b,c', ['a', 'b', 'c']],
    ['a,b,c,d,e,f', ['a', 'b', 'c', 'd', 'e', 'f']],
  ])('with the zones "%s" the group spans a subnet with a way out in each of %j', (Zones, wanted) => {
    const { body } = stacks().own;
    const there = (type: string) =>
      resourcesOf(body, type)
        .filter(([, { Condition }]) => Condition === undefined || evaluate(body, { Condition }, { Zones }) === true)
        .map(([id, { Properties }]) => [`<${id}>`, evaluate(body, Properties, { Zones }) as Record<string, string>] as const);
    const subnets = new Map<string, Record<string, string>>(there('AWS::EC2::Subnet'));
    const zonesOf = (ids: readonly string[]) => ids.map((id) => subnets.get(id)?.['AvailabilityZone']);
    const [[, group] = []] = resourcesOf(body, 'AWS::AutoScaling::AutoScalingGroup');
    const { VPCZoneIdentifier } = evaluate(body, group?.Properties, { Zones }) as { VPCZoneIdentifier: string[] };
    expect(zonesOf(VPCZoneIdentifier)).toEqual(wanted);
    expect(subnets.size).toBe(wanted.length);
    const routed = there('AWS::EC2::SubnetRouteTableAssociation').map(([, { SubnetId }]) => SubnetId ?? '');
    expect(routed.toSorted()).toEqual(VPCZoneIdentifier.toSorted());
    // The group waits for all of them.
    const awaited = evaluate(body, group?.Metadata?.['WayOut'], { Zones }) as string[];
    expect(awaited.toSorted()).toEqual(
      there('AWS::EC2::SubnetRouteTableAssociation')
        .map(([id]) => id)
        .toSorted(),
    );
  });

  test('no two subnets share an address, and none that was there before has another', () => {
    const blocks = resourcesOf(stacks().own.body, 'AWS::EC2::Subnet').map(([, { Properties }]) => String(Properties?.['CidrBlock']));
    expect(blocks.slice(0, 2)).toEqual(['10.83.0.0/18', '10.83.64.0/18']);
    const ranges = blocks.map((block) => {
      const [, third, bits] = /^10\.83\.(\d+)\.0\/(\d+)$/.exec(block) ?? [];
      return [Number(third), Number(third) + 2 ** (24 - Number(bits))] as const;
    });
    const sorted = ranges.toSorted(([a], [b]) => a - b);
    for (const [at, [, end]] of sorted.entries()) expect(end).toBeLessThanOrEqual(sorted[at + 1]?.[0] ?? 256);
  });

  test('in an existing VPC, subnets and security group come straight from the parameters, the key only where it is given, and no network is made', () => {
    const { template, body } = stacks().existing;
    template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', { VPCZoneIdentifier: { Ref: 'subnet' } });
    template.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: { SecurityGroupIds: [{ Ref: 'sg' }] },
    });
    for (const [, { Properties }] of resourcesOf(body, 'AWS::EC2::LaunchTemplate')) {
      expect(evaluate(body, Properties, { key: 'operators' })).toHaveProperty('LaunchTemplateData.KeyName', 'operators');
      expect(evaluate(body, Properties, {})).not.toHaveProperty('LaunchTemplateData.KeyName');
    }
    const network = Object.values(body.Resources).filter(({ Type }) => /^AWS::EC2::(?!LaunchTemplate)/.test(Type));
    expect(network).toEqual([]);
  });

  test('new instances get all addresses and names, and the number of downloads at once', () => {
    for (const { body } of both()) {
      const told = resourcesOf(body, 'AWS::EC2::LaunchTemplate').map(([, { Properties }]) => {
        const { LaunchTemplateData } = evaluate(body, Properties, { ThreadNumber: '9', envName: 'qa' }) as {
          LaunchTemplateData: { UserData: string };
        };
        const lines = LaunchTemplateData.UserData.matchAll(/^(PREWARM_\w+)=(.*)$/gm);
        return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
      });
      expect(told.map(({ PREWARM_GROUP_NAME: name }) => name)).toEqual(['prewarm_asg_qa', 'prewarm_asg_qa_ondemand']);
      expect(told[0]).toEqual({
        PREWARM_REQUEST_TABLE: expect.stringMatching(/^<TablesRequests\w{8}>$/),
        PREWARM_POP_TABLE: expect.stringMatching(/^<TablesRequestPops/),
        PREWARM_TASK_TABLE: expect.stringMatching(/^<TablesRequestTasks/),
        PREWARM_BUCKET: expect.stringMatching(/^<ListsBucket/),
        PREWARM_TASK_QUEUE_URL: expect.stringMatching(/^<QueuesTasks/),
        PREWARM_GROUP_NAME: 'prewarm_asg_qa',
        PREWARM_THREAD_NUMBER: '9',
      });
    }
  });
}

function overridesOf(body: TemplateBody, parameters: Readonly<Record<string, string>>): string[] {
  const [group] = resourcesOf(body, 'AWS::AutoScaling::AutoScalingGroup');
  const { MixedInstancesPolicy } = evaluate(body, group?.[1].Properties, parameters) as {
    MixedInstancesPolicy: { LaunchTemplate: { Overrides: { InstanceType: string }[] } };
  };
  return MixedInstancesPolicy.LaunchTemplate.Overrides.map(({ InstanceType }) => InstanceType);
}
