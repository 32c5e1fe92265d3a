import { fork } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import type { Bench, BenchContext } from './bench.ts';
import { synthesizeStack } from './cost-template.ts';
import { markdownTable, spread } from './figures.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LOADER = fileURLToPath(new URL('./load-module.ts', import.meta.url));

/** What functions read when they are loaded. Nothing is asked for by any of it. */
const TEXTS = ['REQUEST_TABLE', 'POP_TABLE', 'TASK_TABLE', 'BUCKET', 'GROUP_NAME', 'SCHEDULE_GROUP', 'EVENT_BUS', 'ENV_NAME'];
const ARNS = ['SHUTDOWN_FUNCTION_ARN', 'SCHEDULE_ROLE_ARN', 'TOPIC_ARN'];
const QUEUES = ['TASK_QUEUE_URL', 'SIZE_QUEUE_URL', 'PLAN_QUEUE_URL'];
const ENVIRONMENT = {
  PATH: process.env['PATH'],
  AWS_REGION: 'eu-west-1',
  NODE_OPTIONS: '--enable-source-maps',
  POWERTOOLS_LOG_LEVEL: 'INFO',
  PREWARM_MAX_INSTANCES: '100',
  PREWARM_SHOW_SUCCESS_URLS: 'false',
  ...Object.fromEntries(TEXTS.map((name) => [`PREWARM_${name}`, 'bench'])),
  ...Object.fromEntries(ARNS.map((name) => [`PREWARM_${name}`, 'arn:aws:none:eu-west-1:111122223333:bench'])),
  ...Object.fromEntries(QUEUES.map((name) => [`PREWARM_${name}`, 'http://127.0.0.1:9/111122223333/bench'])),
};

/** From the start of a process to the module being loaded, milliseconds. */
async function loadMs(module: string): Promise<number> {
  const child = fork(LOADER, [module], { env: ENVIRONMENT, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const told = await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`${module}: ${String(code)}`))),
  ]);
  await exited;
  return Number(told[0]);
}

/** The same function as tools bundle it unless told otherwise: all of it in one file, as it was written. */
function bundleWhole(name: string, dir: string): string {
  const outfile = join(dir, `whole-${name}.mjs`);
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: [`lambda/${name}/entry.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: true,
    banner: {
      js: "import { createRequire as createRequireOfBench } from 'node:module'; const require = createRequireOfBench(import.meta.url);",
    },
    logLevel: 'error',
  });
  return outfile;
}

const kilobytes = (bytes: number) => Math.round(bytes / 1000).toLocaleString('en-US');
const codeOf = (module: string) => (module.endsWith('index.mjs') ? globSync(join(dirname(module), '*.mjs')) : [module]);
const weight = (files: readonly string[]) => kilobytes(files.reduce((sum, file) => sum + statSync(file).size, 0));
const zipped = (files: readonly string[]) => kilobytes(files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0));

async function measure(modules: readonly string[], context: BenchContext): Promise<ReadonlyMap<string, number[]>> {
  const times = new Map<string, number[]>(modules.map((module) => [module, []]));
  for (let round = 1; round <= context.rounds; round++) {
    context.say(`round ${round} of ${context.rounds}`);
    for (const [module, each] of times) each.push(await loadMs(module));
  }
  return times;
}

export const coldStart: Bench = {
  name: 'cold-start',
  title: 'What a function weighs, and loads at a cold start',
  async run(context) {
    const { functions } = await synthesizeStack(join(context.dir, 'assembly'), context.dir);
    const nothing = join(context.dir, 'nothing.mjs');
    writeFileSync(nothing, '');
    const pairs = [...functions].map(([name, { bundle }]) => ({ name, bundle, whole: bundleWhole(name, context.dir) }));
    const times = await measure([nothing, ...pairs.flatMap(({ bundle, whole }) => [bundle, whole])], context);
    const took = (module: string) => spread(times.get(module) ?? []);
    const rows = pairs.map(({ name, bundle, whole }) => {
      const files = codeOf(bundle);
      return [name, weight(files), zipped(files), took(bundle), weight([whole]), took(whole)];
    });
    const head = ['function', 'code, kB', 'gzipped, kB', 'loaded after, ms', 'in one file, kB', 'loaded after, ms'];
    return `${markdownTable(head, [...rows, ['Node alone', '', '', took(nothing), '', '']])}
Without source maps. From the start of the process to the handler being there, on a whole core of this machine and not on Lambda's. Beside it the same function in one file, not minified.
`;
  },
};
