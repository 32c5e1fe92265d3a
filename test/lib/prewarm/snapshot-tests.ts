import { expect, test } from 'vitest';
import type { Synthesized, TemplateBody } from './synthesize-stacks.ts';

export function testSnapshots(stacks: () => Synthesized): void {
  test('the stack with a VPC of its own is as it was', () => {
    expect(withoutHashes(stacks().own.body)).toMatchSnapshot();
  });

  test('the stack in an existing VPC is as it was', () => {
    expect(withoutHashes(stacks().existing.body)).toMatchSnapshot();
  });
}

/** Hashes of assets, and of the API in its deployment's id, change with what is deployed; reasons for cdk-nag change nothing. */
function withoutHashes(body: TemplateBody): unknown {
  const text = JSON.stringify(body, (key, value: unknown) => (key === 'cdk_nag' ? undefined : value));
  return JSON.parse(text.replaceAll(/[0-9a-f]{64}/g, '<hash>').replaceAll(/(ApiDeployment\w{8})[0-9a-f]{32}/g, '$1<hash>'));
}
