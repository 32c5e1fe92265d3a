import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, type TemplateBody } from './synthesize-stacks.ts';

const VPCE = 'vpce-0123456789abcdef0';

export function testApi(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('asks for a key on every method but GET of the document and of the health check', () => {
    for (const { body } of both()) {
      const open = resourcesOf(body, 'AWS::ApiGateway::Method').filter(([, { Properties }]) => Properties?.['ApiKeyRequired'] !== true);
      expect(
        open
          .map(([, method]) => `${String(method.Properties?.['HttpMethod'])} ${pathOf(body, method.Properties?.['ResourceId'])}`)
          .toSorted(),
      ).toEqual(['GET /healthz', 'GET /openapi.json']);
    }
  });

  test('sends every other path to the app through one resource', () => {
    for (const { body } of both()) {
      const paths = resourcesOf(body, 'AWS::ApiGateway::Resource').map(([, { Properties }]) => String(Properties?.['PathPart']));
      expect(paths.toSorted()).toEqual(['healthz', 'openapi.json', '{proxy+}']);
    }
  });

  test('throttles and counts by key, logs access, and compresses from 1 KiB without taking bodies for binary', () => {
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

  test('answers its own errors as JSON with a message', () => {
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

  test('is public in the stack with a VPC of its own, and in the other without an endpoint', () => {
    for (const { body } of both()) {
      expect(apiOf(body, {})).toMatchObject({ EndpointConfiguration: { Types: ['REGIONAL'] } });
      expect(apiOf(body, {})).not.toHaveProperty('Policy');
      expect(apiOf(body, {})).not.toHaveProperty('EndpointConfiguration.VpcEndpointIds');
    }
  });

  test('is private with an endpoint, whose policy admits that endpoint only', () => {
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

  test('leaves the account-wide logging role behind, which others may use', () => {
    for (const { template } of both()) template.hasResource('AWS::ApiGateway::Account', { DeletionPolicy: 'Retain' });
  });
}

function apiOf(body: TemplateBody, parameters: Readonly<Record<string, string>>): Record<string, unknown> {
  const [found] = resourcesOf(body, 'AWS::ApiGateway::RestApi');
  return evaluate(body, found?.[1].Properties, parameters) as Record<string, unknown>;
}

function pathOf(body: TemplateBody, resourceId: unknown): string {
  const id = (resourceId as { Ref?: string }).Ref;
  return `/${String(id === undefined ? '' : body.Resources[id]?.Properties?.['PathPart'])}`;
}
