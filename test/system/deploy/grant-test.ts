import { GetRolePolicyCommand, IAMClient, ListRolePoliciesCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { ask, objectUrls, progressOf } from '../../server/served.ts';
import type { Deployment } from './deployment-suite.ts';
import { functionLog } from './function-log.ts';
import { makeRequest, untilEnded, untilProgress } from './requests.ts';

interface Statement {
  readonly Action: string | readonly string[];
}

interface Grant {
  restore(): Promise<void>;
}

const actionsOf = ({ Action }: Statement) => [Action].flat();

/** Takes the action out of every statement of the role's own policies. Throws when none has it. */
async function takeAway(client: IAMClient, RoleName: string, action: string): Promise<Grant> {
  const { PolicyNames = [] } = await client.send(new ListRolePoliciesCommand({ RoleName }));
  const originals: { readonly PolicyName: string; readonly PolicyDocument: string }[] = [];
  for (const PolicyName of PolicyNames) {
    const { PolicyDocument = '' } = await client.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    const document = JSON.parse(decodeURIComponent(PolicyDocument)) as { Statement: Statement[] };
    const left = document.Statement.flatMap((statement) => {
      const Action = actionsOf(statement).filter((one) => one !== action);
      return Action.length === 0 ? [] : [{ ...statement, Action }];
    });
    if (JSON.stringify(left.map(actionsOf)) === JSON.stringify(document.Statement.map(actionsOf))) continue;
    originals.push({ PolicyName, PolicyDocument: JSON.stringify(document) });
    const changed = JSON.stringify({ ...document, Statement: left });
    await client.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: changed }));
  }
  if (originals.length === 0) throw new Error(`${RoleName} is not granted ${action}`);
  return {
    async restore() {
      for (const original of originals) await client.send(new PutRolePolicyCommand({ RoleName, ...original }));
    },
  };
}

/** That IAM is enforced at all: what went well above fails here for want of one grant, and nowhere else. */
export function registerGrantTest({ world, prod }: Deployment): void {
  const request = (name: string) => ({ url_list: objectUrls(3, name), pops: ['SIN2-P1'], cf_domain: 'd111111abcdef8.cloudfront.net' });

  test('a function that lacks one grant stops there, names it, and its record ends where failures do', async () => {
    const { account } = world();
    const clients = { iam: new IAMClient(account.client), lambda: new LambdaClient(account.client), sqs: new SQSClient(account.client) };
    try {
      const { Role = '' } = await clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'prewarm_task_prod' }));
      const grant = await takeAway(clients.iam, Role.split('/').at(-1) ?? '', 'sqs:SendMessage');
      const id = await makeRequest(prod(), request('ungranted'));
      await untilProgress(prod(), id, ({ status }) => status === 'QUEUEING');
      const QueueUrl = prod()
        .resources('AWS::SQS::Queue')
        .find((url) => url.endsWith('/prewarm_failed_prod'));
      const failed = async () =>
        (await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }))).Attributes;
      await expect.poll(failed, { timeout: 90_000 }).toEqual({ ApproximateNumberOfMessages: '1' });
      expect(await progressOf(prod(), id)).toMatchObject({ status: 'QUEUEING', download_count: 0 });
      expect((await functionLog(account, 'prewarm_task_prod')).join('\n')).toContain('is not authorized to perform: sqs:SendMessage');
      await ask(prod(), `/prewarm?req_id=${id}`, { method: 'DELETE' });

      await grant.restore();
      expect(await untilEnded(prod(), await makeRequest(prod(), request('granted')))).toMatchObject({
        status: 'FINISHED',
        download_count: 3,
      });
    } finally {
      for (const client of Object.values(clients)) client.destroy();
    }
  });
}
