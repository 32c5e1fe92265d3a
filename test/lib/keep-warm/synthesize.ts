import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { CloudfrontDynamicAPIStack } from '../../../lib/dynamic-origin/cloudfront-dynamic-api-stack.ts';
import { readKeepWarmContext } from '../../../lib/keep-warm/keep-warm-context.ts';
import { LambdaPrewarmStack } from '../../../lib/keep-warm/lambda-prewarm-stack.ts';
import type { TemplateBody } from '../prewarm/synthesize-stacks.ts';

const CDK_JSON = fileURLToPath(new URL('../../../cdk.json', import.meta.url));

export interface SynthesizedStack {
  readonly stack: Stack;
  readonly template: Template;
  readonly body: TemplateBody;
}

export interface Synthesized {
  readonly sender: SynthesizedStack;
  readonly backend: SynthesizedStack;
  remove(): Promise<void>;
}

/** Both stacks with the repository's feature flags and this context, without bundling what they deploy. Throws what is wrong with them. */
export async function synthesize(context: Readonly<Record<string, unknown>> = {}, prepare?: (app: App) => void): Promise<Synthesized> {
  const outdir = await mkdtemp(join(tmpdir(), 'prewarm-synth-'));
  const remove = () => rm(outdir, { recursive: true, force: true });
  try {
    const { context: flags } = JSON.parse(readFileSync(CDK_JSON, 'utf8')) as { context: Record<string, unknown> };
    const app = new App({ outdir, context: { ...flags, 'aws:cdk:bundling-stacks': [], ...context } });
    const sender = new LambdaPrewarmStack(app, 'LambdaPrewarmStack', { defaultEnvName: 'prod', context: readKeepWarmContext(app.node) });
    const backend = new CloudfrontDynamicAPIStack(app, 'CloudfrontDynamicAPIStack');
    prepare?.(app);
    return { sender: read(sender), backend: read(backend), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function read(stack: Stack): SynthesizedStack {
  const template = Template.fromStack(stack);
  return { stack, template, body: template.toJSON() as TemplateBody };
}
