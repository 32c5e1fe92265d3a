import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { readDeployContext } from '../../../lib/shared/deploy-context.ts';
import { PrewarmExistingVpcStack, PrewarmStack } from '../../../lib/prewarm/prewarm-stack.ts';

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly Condition?: string;
}

export interface TemplateBody {
  readonly Parameters: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Rules: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

interface SynthesizedStack {
  readonly stack: Stack;
  readonly template: Template;
  readonly body: TemplateBody;
}

export interface Synthesized {
  readonly app: App;
  readonly own: SynthesizedStack;
  readonly existing: SynthesizedStack;
  /** Removes the assembly. */
  remove(): Promise<void>;
}

const CDK_JSON = fileURLToPath(new URL('../../../cdk.json', import.meta.url));

/** Both stacks with the repository's feature flags and this context, without bundling what they deploy. Throws what is wrong with them. */
export async function synthesizeStacks(
  context: Readonly<Record<string, unknown>> = {},
  prepare?: (app: App) => void,
): Promise<Synthesized> {
  const outdir = await mkdtemp(join(tmpdir(), 'prewarm-synth-'));
  const remove = () => rm(outdir, { recursive: true, force: true });
  try {
    const { context: flags } = JSON.parse(readFileSync(CDK_JSON, 'utf8')) as { context: Record<string, unknown> };
    const app = new App({ outdir, context: { ...flags, 'aws:cdk:bundling-stacks': [], ...context } });
    const { defaultEnvName, retainData, access, nameStack } = readDeployContext(app.node);
    const own = new PrewarmStack(app, nameStack('PrewarmStack'), { defaultEnvName, retainData, access });
    const existing = new PrewarmExistingVpcStack(app, nameStack('PrewarmExistingVpcStack'), { defaultEnvName, retainData, access });
    prepare?.(app);
    return { app, own: read(own), existing: read(existing), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function read(stack: Stack): SynthesizedStack {
  const template = Template.fromStack(stack);
  return { stack, template, body: template.toJSON() as TemplateBody };
}

/** Logical ids and resources of a type. */
export function resourcesOf(body: TemplateBody, type: string): [string, Resource][] {
  return Object.entries(body.Resources).filter(([, resource]) => resource.Type === type);
}
