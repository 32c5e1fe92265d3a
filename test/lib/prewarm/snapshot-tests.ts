import { expect, test } from 'vitest';
import type { Synthesized, TemplateBody } from './synthesize-stacks.ts';

export function testSnapshots(stacks: () => Synthesized): void {
  test('the stack with a VPC of its own is as it was', () => {
    expect(stable(stacks().own.body)).toMatchSnapshot();
  });

  test('the stack in an existing VPC differs from it where it did', () => {
    expect([...differences(stable(stacks().own.body), stable(stacks().existing.body))]).toMatchSnapshot();
  });
}

/** Hashes of assets, and of the API in its deployment's id, change with what is deployed; reasons for cdk-nag change nothing. Ids of some resources hold the stack's name. */
function stable(body: TemplateBody): unknown {
  const text = JSON.stringify(body, (key, value: unknown) => (key === 'cdk_nag' ? undefined : value));
  return JSON.parse(
    text
      .replaceAll(/[0-9a-f]{64}/g, '<hash>')
      .replaceAll(/(ApiDeployment\w{8})[0-9a-f]{32}/g, '$1<hash>')
      .replaceAll(/\b(\w+)Prewarm(?:ExistingVpc)?Stack(\w+?)[0-9A-F]{8,16}\b/g, (id: string) =>
        id.replaceAll('PrewarmExistingVpcStack', 'PrewarmStack').replaceAll(/[0-9A-F]{8,16}(?=Prewarm|$)/g, ''),
      ),
  );
}

type Branch = Readonly<Record<string, unknown>>;

const isBranch = (value: unknown): value is Branch => typeof value === 'object' && value !== null;

/** Each path at which the second template has something else than the first, with what it has there. */
function* differences(first: unknown, second: unknown, path = ''): Generator<string> {
  if (isBranch(first) && isBranch(second) && Array.isArray(first) === Array.isArray(second)) {
    for (const key of new Set([...Object.keys(first), ...Object.keys(second)]))
      yield* differences(first[key], second[key], `${path}/${key}`);
  } else if (first !== second) yield `${path}: ${second === undefined ? 'absent' : JSON.stringify(second)}`;
}
