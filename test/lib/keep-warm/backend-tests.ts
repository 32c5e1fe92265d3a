import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { evaluate } from '../prewarm/evaluate-template.ts';
import { resourcesOf, type TemplateBody } from '../prewarm/synthesize-stacks.ts';
import { onlyOne, type Properties } from './properties.ts';
import type { Synthesized } from './synthesize.ts';

export function testBackend(stacks: () => Synthesized): void {
  const CERTIFIED = {
    originDomainName: 'origin.example.com',
    originCertificateSecret: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:tls-abcdef',
  };
  /** Of the two instances in the template, what CloudFormation makes with these parameters. */
  const instancesMade = (given: Readonly<Record<string, string>>) => {
    const { body } = stacks().backend;
    return resourcesOf(body, 'AWS::EC2::Instance').filter(([, { Condition }]) => evaluate(body, { Condition }, given) === true);
  };
  const instanceMade = (given: Readonly<Record<string, string>>) => {
    const [[, resource] = []] = instancesMade(given);
    return evaluate(stacks().backend.body, resource?.Properties, given) as Properties;
  };
  const group = (given: Readonly<Record<string, string>>) =>
    onlyOne(withoutMapping(stacks().backend.body), 'AWS::EC2::SecurityGroup', given);

  test('the distribution caches nothing and keeps origin connections for a minute', () => {
    const { DistributionConfig: config } = onlyOne(stacks().backend.body, 'AWS::CloudFront::Distribution') as {
      DistributionConfig: Record<string, unknown>;
    };
    expect(config).toMatchObject({
      DefaultCacheBehavior: { CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad', ViewerProtocolPolicy: 'https-only' },
      Origins: [{ CustomOriginConfig: { OriginKeepaliveTimeout: 60, OriginProtocolPolicy: 'http-only' } }],
    });
  });

  test("the distribution reaches the instance by its own address over HTTP, and by a user's name over HTTPS with a certificate", () => {
    const { body } = stacks().backend;
    const origin = (given: Readonly<Record<string, string>>) => {
      const { DistributionConfig: config } = onlyOne(body, 'AWS::CloudFront::Distribution', given) as {
        DistributionConfig: { Origins: Properties[] };
      };
      return config.Origins[0];
    };
    const inRegion = (region: string) =>
      String(origin({ 'AWS::Region': region, 'AWS::URLSuffix': 'amazonaws.com', ...address })?.['DomainName']);
    const address = { [resourcesOf(body, 'AWS::EC2::EIP')[0]?.[0] ?? '']: '192.0.2.1' };
    expect(inRegion('eu-west-1')).toBe('ec2-192-0-2-1.eu-west-1.compute.amazonaws.com');
    expect(inRegion('us-east-1')).toBe('ec2-192-0-2-1.compute-1.amazonaws.com');
    expect(origin(CERTIFIED)).toMatchObject({
      DomainName: 'origin.example.com',
      CustomOriginConfig: { OriginProtocolPolicy: 'https-only' },
    });
  });

  test('the instance stands in the zone that is named, or else in the first of the region', () => {
    const zone = (given: Readonly<Record<string, string>>) => onlyOne(stacks().backend.body, 'AWS::EC2::Subnet', given)['AvailabilityZone'];
    expect(zone({})).toBe('<first zone>');
    expect(zone({ Zones: 'us-east-1b' })).toBe('us-east-1b');
    expect(zone({ Zones: 'us-east-1d,us-east-1b' })).toBe('us-east-1d');
  });

  test('the instance admits the prefix list of CloudFront at one port and nothing else', () => {
    const admitted = (given: Readonly<Record<string, string>>) =>
      group({ originFacingPrefixList: 'pl-1', ...given })['SecurityGroupIngress'];
    expect(admitted({})).toMatchObject([{ SourcePrefixListId: 'pl-1', FromPort: 80, ToPort: 80 }]);
    expect(admitted(CERTIFIED)).toMatchObject([{ SourcePrefixListId: 'pl-1', FromPort: 443, ToPort: 443 }]);
    expect(JSON.stringify(admitted({}))).not.toContain('CidrIp');
    expect(resourcesOf(stacks().backend.body, 'AWS::EC2::SecurityGroupIngress')).toEqual([]);
    const mapping = (stacks().backend.template.toJSON() as { Mappings: { OriginFacing: Record<string, { id: string }> } }).Mappings
      .OriginFacing;
    const known = Object.values(mapping).filter(({ id }) => id !== 'unknown');
    expect(new Set(known.map(({ id }) => id)).size).toBe(known.length);
    for (const { id } of known) expect(id).toMatch(/^pl-[0-9a-f]{8}$/);
  });

  test('the template says what to pass in a region whose prefix list it does not know, and takes it', () => {
    const { Mappings, Rules } = stacks().backend.template.toJSON() as {
      Mappings: { OriginFacing: Record<string, { id: string }> };
      Rules: Record<string, unknown>;
    };
    // A missing key fails the deploy even where the condition asks for the other value, so that every region has one.
    for (const region of ['ap-southeast-3', 'cn-north-1', 'eu-central-2', 'il-central-1', 'mx-central-1', 'us-gov-west-1'])
      expect(Mappings.OriginFacing[region]).toEqual({ id: 'unknown' });
    expect(Mappings.OriginFacing['eu-west-1']).toEqual({ id: 'pl-4fa04526' });
    const rule = JSON.stringify(Rules['PrefixListIsKnown']);
    expect(rule).toContain('aws ec2 describe-managed-prefix-lists');
    expect(rule).toContain('il-central-1');
    expect(rule).not.toContain('eu-west-1');
  });

  test('HTTPS by a later update makes a new instance, which gets the address, and the stack waits for its service', () => {
    const { body } = stacks().backend;
    const [plain, encrypted] = [instancesMade({}), instancesMade(CERTIFIED)];
    expect([plain.length, encrypted.length]).toEqual([1, 1]);
    expect(plain[0]?.[0]).not.toBe(encrypted[0]?.[0]);
    for (const [given, made] of [
      [{}, plain],
      [CERTIFIED, encrypted],
    ] as const) {
      const [[id, resource] = ['', undefined]] = made;
      expect(resource).toMatchObject({ CreationPolicy: { ResourceSignal: { Count: 1, Timeout: 'PT10M' } } });
      expect(onlyOne(body, 'AWS::EC2::EIPAssociation', given)['InstanceId']).toBe(`<${id}>`);
      expect(String(instanceMade(given)['UserData'])).toContain(`--resource '${id}'`);
    }
    const withSecret = instancesMade({ ...CERTIFIED, originCertificateSecret: `${CERTIFIED.originCertificateSecret}2` });
    expect(withSecret[0]?.[0]).toBe(encrypted[0]?.[0]);
    expect(encrypted[0]?.[1]).toHaveProperty('DependsOn', expect.arrayContaining([expect.stringMatching(/^ServiceReadCertificate/)]));
  });

  test('the template refuses one of name and certificate without the other', () => {
    const { Rules: rules } = stacks().backend.body;
    expect(JSON.stringify(rules['BothOrNeither'])).toContain('set both for HTTPS to the origin, or neither');
  });

  test('the backend runs on one small hardened instance with a correct script, and fetches a certificate only if there is one', () => {
    const { body } = stacks().backend;
    const instance = instanceMade(CERTIFIED);
    expect(instance).toMatchObject({
      InstanceType: 't4g.nano',
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      BlockDeviceMappings: [{ Ebs: { Encrypted: true } }],
    });
    for (const [, resource] of resourcesOf(body, 'AWS::EC2::Instance'))
      expect((resource as { DependsOn?: string[] }).DependsOn).toContainEqual(expect.stringMatching(/^ServiceVpc.*DefaultRoute/));
    const [, script = ''] = /text\/x-shellscript[^\n]*\n\n([\s\S]*)\n--==CURRENT-TIME==--\n$/.exec(String(instance['UserData'])) ?? [];
    // Its half gigabyte alone does not do for installing packages.
    expect(script.indexOf('swapon')).toBeGreaterThan(0);
    expect(script.indexOf('swapon')).toBeLessThan(script.indexOf('dnf install'));
    expect(script).toContain(`secret='${CERTIFIED.originCertificateSecret}'`);
    const inner = [...script.matchAll(/<<'END_OF_FILE'\n(#!\/bin\/bash[\s\S]*?)\nEND_OF_FILE/g)].map(([, text = '']) => text);
    expect(inner).toHaveLength(2);
    for (const text of [script, ...inner]) execFileSync('bash', ['-n'], { input: text });
    expect(String(instanceMade({})['UserData'])).toContain("secret=''\n");
  });
}

/** Which id a region has is nothing to be evaluated. */
function withoutMapping(body: TemplateBody): TemplateBody {
  return JSON.parse(
    JSON.stringify(body).replaceAll(/\{"Fn::FindInMap":\["OriginFacing",\{"Ref":"AWS::Region"\},"id"\]\}/g, '"pl-of-region"'),
  ) as TemplateBody;
}
