import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCdkWell } from '../testing/aws-account/cdk-cli.ts';

export interface FunctionDefinition {
  /** The bundle, as it would be uploaded. */
  readonly bundle: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** Those of its variables that are plain texts. */
  readonly variables: Readonly<Record<string, string>>;
}

/** How Lambda reads a table's stream for a function. */
export interface StreamReading {
  readonly batchSize: number;
  readonly windowMs: number;
  /** Batches of one shard at once. */
  readonly parallel: number;
}

/** What the bench needs of the stack as it is synthesized. */
export interface SynthesizedStack {
  /** By name: `get-size`. */
  readonly functions: ReadonlyMap<string, FunctionDefinition>;
  readonly agentBundle: string;
  /** Of the stream of recorded tasks. */
  readonly aggregateReading: StreamReading;
  readonly alarms: number;
  readonly dashboards: number;
  /** How often the fleet's timer fires in 30 days. */
  readonly timerRuns: number;
  /** Queues that Lambda polls all the time. */
  readonly polledQueues: number;
}

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

const STACK = 'PrewarmStack';
const MINUTES_PER_MONTH = 30 * 24 * 60;

function nameOf({ Metadata = {} }: Resource): string {
  const [, id = ''] = /\/Functions\/(\w+)\/Handler\//.exec(String(Metadata['aws:cdk:path'])) ?? [];
  return id.replace(/\B[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

function readFunction(dir: string, { Properties, Metadata = {} }: Resource): FunctionDefinition {
  const { Variables = {} } = (Properties['Environment'] ?? {}) as { Variables?: Readonly<Record<string, unknown>> };
  const texts = Object.entries(Variables).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return {
    bundle: join(dir, String(Metadata['aws:asset:path']), 'index.mjs'),
    memoryMb: Number(Properties['MemorySize']),
    timeoutMs: Number(Properties['Timeout']) * 1000,
    variables: Object.fromEntries(texts),
  };
}

function readTimer(rules: readonly Resource[]): number {
  const minutes = rules.map(({ Properties }) => /^rate\((\d+) minutes?\)$/.exec(String(Properties['ScheduleExpression']))?.[1]);
  const every = Number(minutes.find((found) => found !== undefined));
  if (!(every > 0)) throw new Error('the template has no rule with a rate in minutes');
  return MINUTES_PER_MONTH / every;
}

async function readAgentBundle(dir: string): Promise<string> {
  const assets = JSON.parse(await readFile(join(dir, `${STACK}.assets.json`), 'utf8')) as {
    readonly files: Readonly<Record<string, { readonly source: { readonly path: string } }>>;
  };
  const path = Object.values(assets.files).map(({ source }) => source.path);
  const [bundle] = path.filter((name) => name.endsWith('.mjs'));
  if (bundle === undefined) throw new Error('the assembly has no bundled agent');
  return join(dir, bundle);
}

/** Synthesizes the stack into `dir`, as a deployment would, and reads what it says. */
export async function synthesizeStack(dir: string, home: string): Promise<SynthesizedStack> {
  await runCdkWell(['synth', STACK, '--quiet', '--output', dir], { env: {}, home });
  const template = JSON.parse(await readFile(join(dir, `${STACK}.template.json`), 'utf8')) as { Resources: Record<string, Resource> };
  const ofType = (type: string) => Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
  const functions = ofType('AWS::Lambda::Function')
    .map(([, resource]) => [nameOf(resource), readFunction(dir, resource)] as const)
    .filter(([name]) => name !== '');
  const mappings = ofType('AWS::Lambda::EventSourceMapping');
  const aggregate = mappings.find(([id]) => /Aggregate.*Stream/.test(id))?.[1].Properties;
  if (aggregate === undefined) throw new Error('the template has no reader of the stream of tasks');
  return {
    functions: new Map(functions),
    agentBundle: await readAgentBundle(dir),
    aggregateReading: {
      batchSize: Number(aggregate['BatchSize']),
      windowMs: Number(aggregate['MaximumBatchingWindowInSeconds'] ?? 0) * 1000,
      parallel: Number(aggregate['ParallelizationFactor'] ?? 1),
    },
    alarms: ofType('AWS::CloudWatch::Alarm').length,
    dashboards: ofType('AWS::CloudWatch::Dashboard').length,
    timerRuns: readTimer(ofType('AWS::Events::Rule').map(([, resource]) => resource)),
    polledQueues: mappings.filter(([id]) => /SqsEventSource/.test(id)).length,
  };
}
