import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MAIN } from '../../cli/prewarm-command.ts';
import { fuzzLargeBodies } from './large-bodies.ts';

const USAGE = `usage: node test/server/scripts/fuzz.ts [--requests 5000] [--large-seconds 30] [--seed N] [--schemathesis PATH]
Sends so many requests made from the OpenAPI document to a server of its own, and fails on any 5xx or undocumented answer.
Before that, for so many seconds, it sends bodies of 5 MiB of wrong types, blanks and names; 0 of either leaves it out.
Installs Schemathesis from PyPI with python3, unless the path of an installed one is given.
`;
/** What is installed with it too is of a fixed version: what it asks must not change from one day to the next. */
const REQUIREMENTS = fileURLToPath(new URL('schemathesis.txt', import.meta.url));
const KEY = 'key-of-the-fuzzing';
const OPERATIONS = 11;
/** All but one: a list of URLs may fit the schema and yet be refused, as any text may that is no URL. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
].join();

async function run(command: string, args: readonly string[], cwd?: string): Promise<number> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function install(dir: string): Promise<string> {
  const venv = join(dir, 'venv');
  for (const [command, ...args] of [
    ['python3', '-m', 'venv', venv],
    [join(venv, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--requirement', REQUIREMENTS],
  ] as const) {
    if ((await run(command, args)) !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
  }
  return join(venv, 'bin', 'schemathesis');
}

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
}

/** It can reach nothing: its POPs are ports where nobody listens. */
async function startServer(dir: string): Promise<Server> {
  const map = join(dir, 'edge-map.json');
  writeFileSync(map, JSON.stringify({ 'SIN2-P1': ['127.0.0.1:1'], 'IAD89-P1': ['127.0.0.1:1'] }));
  const options = ['--json', '--port', '0', '--data-dir', join(dir, 'data'), '--edge-map', map, '--allow-private-addresses'];
  const child = spawn(process.execPath, [MAIN, 'serve', ...options], {
    env: { ...process.env, PREWARM_API_KEY: KEY, NODE_OPTIONS: '--max-old-space-size=512' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { url: (JSON.parse(line) as { url: string }).url, child };
}

/** Does the work against a server of its own; false where the server did not outlive it. */
async function withServer(dir: string, work: (server: Server) => Promise<boolean>): Promise<boolean> {
  const server = await startServer(dir);
  const { child } = server;
  const isGood = await work(server);
  const isAlive = child.exitCode === null && child.signalCode === null;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  if (isAlive) await exited;
  process.stdout.write(`the server ${isAlive ? 'is alive' : 'died'}\n`);
  return isGood && isAlive;
}

async function fuzzFromDocument(
  { url }: Server,
  dir: string,
  options: { readonly requests: number; readonly seed: string; readonly schemathesis: string },
): Promise<boolean> {
  const report = join(dir, 'report.json');
  // The other phases send the rest, and some more.
  const share = Math.ceil((options.requests / OPERATIONS) * 0.85);
  const phases = ['--phases', 'examples,coverage,fuzzing,stateful', '--max-examples', String(share), '--seed', options.seed];
  const request = ['--header', `x-api-key: ${KEY}`, '--request-timeout', '10', '--suppress-health-check', 'all'];
  const judging = ['--checks', CHECKS, '--continue-on-failure', '--report', 'json', '--report-json-path', report];
  const args = ['run', `${url}/openapi.json`, ...phases, ...request, ...judging];
  // In the temporary directory, since it leaves its own files where it runs.
  const code = await run(options.schemathesis, args, dir);
  const { test_cases: cases } = JSON.parse(readFileSync(report, 'utf8')) as { test_cases: { generated: number } };
  process.stdout.write(`${cases.generated} requests\n`);
  return code === 0 && cases.generated >= options.requests;
}

async function fuzzBySize({ url, child }: Server, options: { readonly seconds: number; readonly seed: string }): Promise<boolean> {
  const { seconds, seed } = options;
  const faults = await fuzzLargeBodies({ url, key: KEY, pid: child.pid ?? 0, seed: Number(seed), ms: seconds * 1000 });
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  return faults.length === 0;
}

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '5000' },
    'large-seconds': { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    schemathesis: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(USAGE);
else {
  const dir = mkdtempSync(join(tmpdir(), 'prewarm-fuzz-'));
  try {
    const { seed } = values;
    const requests = Number(values.requests);
    const seconds = Number(values['large-seconds']);
    let isClean = seconds === 0 || (await withServer(dir, (server) => fuzzBySize(server, { seconds, seed })));
    if (requests > 0) {
      const schemathesis = values.schemathesis ?? (await install(dir));
      isClean = (await withServer(dir, (server) => fuzzFromDocument(server, dir, { requests, seed, schemathesis }))) && isClean;
    }
    process.exitCode = isClean ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
