import { Aws, Fn } from 'aws-cdk-lib';
import type { ApiAccess } from '../shared/deploy-context.ts';

type Statement = Readonly<Record<string, unknown>>;

const EVERY_PATH = 'execute-api:/*';

/** What `GET` of a path is called in a policy of the API, at whatever stage. */
const open = (path: string) => `execute-api:/*/GET/${path}`;

/**
 * Who may be let in. Where calls are signed, the account is named instead of everybody: then a caller's own policies decide, too. Paths
 * that are open without a key stay so.
 */
function letIn({ asksForSignature }: ApiAccess, openPaths: readonly string[], condition: Statement): Statement[] {
  const allow = (principal: unknown, resource: unknown) => ({
    Effect: 'Allow',
    Principal: principal,
    Action: 'execute-api:Invoke',
    Resource: resource,
    ...condition,
  });
  if (!asksForSignature) return [allow('*', EVERY_PATH)];
  const account = Fn.join('', ['arn:', Aws.PARTITION, ':iam::', Aws.ACCOUNT_ID, ':root']);
  return [allow({ AWS: account }, EVERY_PATH), allow('*', openPaths.map(open))];
}

function keepOut(condition: Statement): Statement {
  return { Effect: 'Deny', Principal: '*', Action: 'execute-api:Invoke', Resource: EVERY_PATH, Condition: condition };
}

function document(statements: readonly Statement[]): Statement {
  return { Version: '2012-10-17', Statement: statements };
}

/** The policy of an API that is reached over the internet; null: it needs none. */
export function publicPolicy(access: ApiAccess, openPaths: readonly string[]): Statement | null {
  if (access.allowFrom.length === 0) return null;
  return document([...letIn(access, openPaths, {}), keepOut({ NotIpAddress: { 'aws:SourceIp': access.allowFrom } })]);
}

/** The policy of an API that is reached through one VPC endpoint. There, `aws:VpcSourceIp` is the caller's address. */
export function privatePolicy(access: ApiAccess, openPaths: readonly string[], vpcEndpointId: string): Statement {
  const through = { Condition: { StringEquals: { 'aws:SourceVpce': vpcEndpointId } } };
  const fromElsewhere = access.allowFrom.length === 0 ? [] : [keepOut({ NotIpAddress: { 'aws:VpcSourceIp': access.allowFrom } })];
  return document([
    ...letIn(access, openPaths, through),
    keepOut({ StringNotEquals: { 'aws:SourceVpce': vpcEndpointId } }),
    ...fromElsewhere,
  ]);
}
