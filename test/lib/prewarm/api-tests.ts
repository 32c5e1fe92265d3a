import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { InvalidInput } from '../../../core/errors.ts';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, synthesizeStacks, type TemplateBody } from './synthesize-stacks.ts';

const VPCE = 'vpce-0123456789abcdef0';

export function testApi(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('the API asks for a key on every method but GET of the document and of the health check', () => {
    for (const { body } of both()) {
      const open = resourcesOf(body, 'AWS::ApiGateway::Method').filter(([, { Properties }]) => Properties?.['ApiKeyRequired'] !== true);
      expect(
        open
          .map(([, method]) => `${String(method.Properties?.['HttpMethod'])} ${pathOf(body, method.Properties?.['ResourceId'])}`)
          .toSorted(),
      ).toEqual(['GET /healthz', 'GET /openapi.json']);
    }
  });

  test('the API sends every other path to the app through one resource', () => {
    for (const { body } of both()) {
      const paths = resourcesOf(body, 'AWS::ApiGateway::Resource').map(([, { Properties }]) => String(Properties?.['PathPart']));
      expect(paths.toSorted()).toEqual(['healthz', 'openapi.json', '{proxy+}']);
    }
  });

  test('the API throttles and counts by key, logs access, and compresses from 1 KiB without taking bodies for binary', () => {
    for (const { template } of both()) {
      template.hasResourceProperties('AWS::ApiGateway::UsagePlan', {
        Throttle: { RateLimit: Match.anyValue(), BurstLimit: Match.anyValue() },
        Quota: { Limit: Match.anyValue(), Period: 'DAY' },
      });
      template.hasResourceProperties('AWS::ApiGateway::Stage', {
        StageName: 'v1',
        AccessLogSetting: {
          DestinationArn: Match.anyValue(),
          Format: Match.stringLikeRegexp('context.requestId.*context.error.responseType'),
        },
      });
      // Text of a client could forge fields or lines of the log.
      expect(JSON.stringify(template.findResources('AWS::ApiGateway::Stage'))).not.toMatch(/userAgent|request\.header/i);
      template.hasResourceProperties('AWS::ApiGateway::RestApi', { MinimumCompressionSize: 1024, BinaryMediaTypes: Match.absent() });
    }
  });

  test('the API answers its own errors as JSON with a message', () => {
    for (const { body } of both()) {
      const answers = resourcesOf(body, 'AWS::ApiGateway::GatewayResponse').map(([, { Properties }]) => Properties);
      expect(answers.map((answer) => String(answer?.['ResponseType'])).toSorted()).toEqual([
        'DEFAULT_4XX',
        'DEFAULT_5XX',
        'MISSING_AUTHENTICATION_TOKEN',
      ]);
      for (const answer of answers) expect(JSON.stringify(answer?.['ResponseTemplates'])).toContain('message');
      for (const answer of answers) {
        expect(answer?.['ResponseParameters']).toEqual({
          'gatewayresponse.header.Cache-Control': "'no-store'",
          'gatewayresponse.header.X-Content-Type-Options': "'nosniff'",
          'gatewayresponse.header.Referrer-Policy': "'no-referrer'",
        });
      }
    }
  });

  test('the API is public in the stack with a VPC of its own, and in the other without an endpoint', () => {
    for (const { body } of both()) {
      expect(apiOf(body, {})).toMatchObject({ EndpointConfiguration: { Types: ['REGIONAL'] } });
      expect(apiOf(body, {})).not.toHaveProperty('Policy');
      expect(apiOf(body, {})).not.toHaveProperty('EndpointConfiguration.VpcEndpointIds');
    }
  });

  test('the API is private with an endpoint, whose policy admits that endpoint only', () => {
    const api = apiOf(stacks().existing.body, { vpce: VPCE });
    // A private API knows no other kind of address, and becomes none, nor a public one again, without it.
    expect(api['EndpointConfiguration']).toEqual({ Types: ['PRIVATE'], IpAddressType: 'dualstack', VpcEndpointIds: [VPCE] });
    const { Statement } = api['Policy'] as { Statement: Record<string, unknown>[] };
    expect(Statement.find(({ Effect }) => Effect === 'Allow')).toMatchObject({
      Action: 'execute-api:Invoke',
      Condition: { StringEquals: { 'aws:SourceVpce': VPCE } },
    });
    expect(Statement.find(({ Effect }) => Effect === 'Deny')).toMatchObject({ Condition: { StringNotEquals: { 'aws:SourceVpce': VPCE } } });
  });

  test('the API throttles keyless paths by themselves, far below what holders of a key may ask', () => {
    for (const { body } of both()) {
      const [[, stage] = []] = resourcesOf(body, 'AWS::ApiGateway::Stage');
      const settings = stage?.Properties?.['MethodSettings'] as Record<string, unknown>[];
      const of = (path: string, method: string) =>
        settings.filter((each) => each['ResourcePath'] === path && each['HttpMethod'] === method);
      for (const path of ['/~1healthz', '/~1openapi.json'])
        expect(of(path, 'GET')).toMatchObject([{ ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10 }]);
      expect(of('/*', '*')).toMatchObject([{ ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 }]);
    }
  });

  test('the API makes no metrics of single methods, which cost money and which nobody reads', () => {
    for (const { template } of both()) {
      const stage = JSON.stringify(template.findResources('AWS::ApiGateway::Stage'));
      expect(stage).toContain('"MetricsEnabled":false');
      expect(stage).not.toContain('"MetricsEnabled":true');
    }
  });

  test('-c accountLogging=false leaves the role alone that API Gateway writes the logs of the whole account by', async () => {
    await withContext({ accountLogging: 'false' }, ({ own, existing }) => {
      for (const { body, template } of [own, existing]) {
        expect(resourcesOf(body, 'AWS::ApiGateway::Account')).toEqual([]);
        const roles = resourcesOf(body, 'AWS::IAM::Role').map(([, { Properties }]) => JSON.stringify(Properties));
        expect(roles.filter((role) => role.includes('AmazonAPIGatewayPushToCloudWatchLogs'))).toEqual([]);
        expect(Object.entries(body.Resources).filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain')).toEqual([]);
        template.hasResourceProperties('AWS::ApiGateway::Stage', { AccessLogSetting: { DestinationArn: Match.anyValue() } });
      }
    });
  });

  test('-c auth=iam asks for a signature beside the key, but not where no key is asked for either', async () => {
    await withContext({ auth: 'iam' }, ({ own, existing }) => {
      for (const { body } of [own, existing]) {
        const methods = resourcesOf(body, 'AWS::ApiGateway::Method').map(([, { Properties }]) => Properties ?? {});
        expect(methods.length).toBeGreaterThan(4);
        for (const method of methods) expect(method['AuthorizationType']).toBe(method['ApiKeyRequired'] === true ? 'AWS_IAM' : 'NONE');
        expect(methods.filter((method) => method['AuthorizationType'] === 'NONE').map((method) => method['HttpMethod'])).toEqual([
          'GET',
          'GET',
        ]);
      }
      // An endpoint's policy that lets everybody in would stand in for the caller's own permission.
      const { Statement } = apiOf(existing.body, { vpce: VPCE })['Policy'] as { Statement: Record<string, unknown>[] };
      const everybody = Statement.filter(({ Effect, Principal }) => Effect === 'Allow' && Principal === '*');
      expect(everybody).toMatchObject([{ Resource: ['execute-api:/*/GET/openapi.json', 'execute-api:/*/GET/healthz'] }]);
      expect(Statement.filter(({ Effect }) => Effect === 'Allow')).toHaveLength(2);
    });
  });

  test('-c allowFrom refuses calls from other addresses, through an endpoint too', async () => {
    await withContext({ allowFrom: '192.0.2.0/24, 2001:db8::/32' }, ({ own, existing }) => {
      const ranges = ['192.0.2.0/24', '2001:db8::/32'];
      const denials = (body: TemplateBody, given: Readonly<Record<string, string>>) => {
        const { Statement } = apiOf(body, given)['Policy'] as { Statement: Record<string, unknown>[] };
        expect(Statement.filter(({ Effect }) => Effect === 'Allow')).toHaveLength(1);
        return Statement.filter(({ Effect }) => Effect === 'Deny').map(({ Principal, Resource, Condition }) => {
          expect({ Principal, Resource }).toEqual({ Principal: '*', Resource: 'execute-api:/*' });
          return Condition;
        });
      };
      expect(denials(own.body, {})).toEqual([{ NotIpAddress: { 'aws:SourceIp': ranges } }]);
      expect(denials(existing.body, {})).toEqual([{ NotIpAddress: { 'aws:SourceIp': ranges } }]);
      expect(denials(existing.body, { vpce: VPCE })).toEqual([
        { StringNotEquals: { 'aws:SourceVpce': VPCE } },
        { NotIpAddress: { 'aws:VpcSourceIp': ranges } },
      ]);
    });
  });

  test('a context that is wrong is refused, with every fault at once', async () => {
    const wrong = { allowFrom: '192.0.2.0/33', auth: 'cognito', accountLogging: 'no', retainData: 'yes', env: 'a b' };
    const refused = await synthesizeStacks(wrong).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidInput);
    const faults = refused instanceof InvalidInput ? refused.faults.map(({ field }) => field) : [];
    expect(faults.toSorted()).toEqual(['accountLogging', 'allowFrom', 'auth', 'env', 'retainData'].map((name) => `context ${name}`));
    for (const allowFrom of ['192.0.2.1/x', '192.0.2.0/24/8', 'example.com', ',', '2001:db8::/129', '10.0.0.0/8,'])
      await expect(synthesizeStacks({ allowFrom }).then((stacks) => stacks.remove())).rejects.toThrow(/allowFrom/);
  });

  test('the removal leaves the account-wide logging role behind, which others may use', () => {
    for (const { template } of both()) template.hasResource('AWS::ApiGateway::Account', { DeletionPolicy: 'Retain' });
  });
}

async function withContext(context: Readonly<Record<string, unknown>>, look: (stacks: Synthesized) => void): Promise<void> {
  const stacks = await synthesizeStacks(context);
  try {
    look(stacks);
  } finally {
    await stacks.remove();
  }
}

function apiOf(body: TemplateBody, parameters: Readonly<Record<string, string>>): Record<string, unknown> {
  const [found] = resourcesOf(body, 'AWS::ApiGateway::RestApi');
  return evaluate(body, found?.[1].Properties, parameters) as Record<string, unknown>;
}

function pathOf(body: TemplateBody, resourceId: unknown): string {
  const id = (resourceId as { Ref?: string }).Ref;
  return `/${String(id === undefined ? '' : body.Resources[id]?.Properties?.['PathPart'])}`;
}
