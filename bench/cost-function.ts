import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FunctionReply, FunctionTime } from './cost-function-host.ts';
import type { FunctionDefinition } from './cost-template.ts';
import { addUsage, NO_USAGE, type Usage } from './cost-usage.ts';

/** A function's bundle in a process of its own, metered as Lambda would bill it. */
export interface CostFunction {
  /** Rejects with what the handler threw. One event at a time. */
  invoke<T>(event: unknown): Promise<T>;
  /** Invocations, GB-seconds (loading included) and bytes of log so far. */
  usage(): Usage;
  /** Names with dimensions of the metrics it has told so far. */
  metrics(): ReadonlySet<string>;
  stop(): Promise<void>;
}

const HOST = fileURLToPath(new URL('./cost-function-host.ts', import.meta.url));

/** So much memory comes with one whole processor; with less comes less of one. */
const MB_PER_CORE = 1769;
/** Each event of a log is stored with so much beside it. */
const LOG_EVENT_BYTES = 26;
/** What Lambda itself logs of an invocation: START, END and REPORT with the ids. Not measured: it is AWS's own text. */
const PLATFORM_LOG_BYTES = 330 + 3 * LOG_EVENT_BYTES;

/** Billed by the millisecond. What was measured on a whole processor takes longer on a part of one, in so far as it computes. */
function billedMs({ wallMs, cpuMs }: FunctionTime, memoryMb: number): number {
  return Math.ceil(wallMs + cpuMs * (Math.max(1, MB_PER_CORE / memoryMb) - 1));
}

interface Figure {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly { readonly Dimensions: readonly string[][]; readonly Metrics: readonly { Name: string }[] }[];
  };
}

/** `RequestsEnded EnvName=cost Status=FINISHED`, of a line in the embedded metric format. */
function metricsIn(line: string): string[] {
  if (!line.includes('"_aws"')) return [];
  const figure = JSON.parse(line) as Figure & Readonly<Record<string, unknown>>;
  return figure._aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }) =>
    Dimensions.flatMap((names) => {
      const dimensions = names.map((name) => `${name}=${String(figure[name])}`).join(' ');
      return Metrics.map(({ Name }) => `${Name} ${dimensions}`);
    }),
  );
}

/** Answers the next message of the process; rejects when it ends first. */
function readReplies(name: string, child: ChildProcess): () => Promise<FunctionReply> {
  let waiting = Promise.withResolvers<FunctionReply>();
  child.on('message', (message) => waiting.resolve(message as FunctionReply));
  child.once('exit', (code) => waiting.reject(new Error(`the process of ${name} ended with ${String(code)}`)));
  return async () => {
    try {
      return await waiting.promise;
    } finally {
      waiting = Promise.withResolvers();
      waiting.promise.catch(() => {});
    }
  };
}

export async function startCostFunction(
  name: string,
  definition: FunctionDefinition,
  env: Readonly<Record<string, string>>,
): Promise<CostFunction> {
  const { bundle, memoryMb, timeoutMs, variables } = definition;
  const lambda = { AWS_LAMBDA_FUNCTION_NAME: name, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb) };
  const child = fork(HOST, [bundle], {
    env: { PATH: process.env['PATH'], ...variables, ...lambda, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let usage = NO_USAGE;
  const metrics = new Set<string>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      usage = addUsage(usage, { logBytes: Buffer.byteLength(line) + LOG_EVENT_BYTES });
      for (const metric of metricsIn(line)) metrics.add(metric);
      if (line.includes('"level":"ERROR"') || !line.startsWith('{')) process.stderr.write(`${name}: ${line}\n`);
    });
  }
  const pay = (time: FunctionTime, more: Partial<Usage>) => {
    usage = addUsage(usage, { ...more, lambdaGbSeconds: (billedMs(time, memoryMb) / 1000) * (memoryMb / 1024) });
  };
  const nextReply = readReplies(name, child);
  const loaded = await nextReply();
  pay(loaded.time, {});
  return {
    async invoke<T>(event: unknown) {
      child.send({ event, timeoutMs, invocation: randomUUID() });
      const reply = await nextReply();
      if (reply.kind !== 'handled') throw new Error(`${name} was loaded twice`);
      pay(reply.time, { lambdaCalls: 1, logBytes: PLATFORM_LOG_BYTES });
      if (reply.error !== undefined) throw new Error(`${name}: ${reply.error}`);
      return reply.answer as T;
    },
    usage: () => usage,
    metrics: () => metrics,
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
