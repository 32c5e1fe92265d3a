import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';

/** The one version that launch.py knows. */
const REQUIREMENTS = fileURLToPath(new URL('ministack.txt', import.meta.url));
const VERSION = /^ministack==(\S+)/m.exec(readFileSync(REQUIREMENTS, 'utf8'))?.[1] ?? '';
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const VENV = join(ROOT, '.venv-emulator', `ministack-${VERSION}`);
const LAUNCHER = fileURLToPath(new URL('./launch.py', import.meta.url));
const CALL = fileURLToPath(new URL('./call.py', import.meta.url));
const PREPARE = fileURLToPath(new URL('./prepare.py', import.meta.url));
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11'];
const PREPARE_DEADLINE_MS = 240_000;
const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 5000;
const START_TRIES = 3;

export interface EmulatedAccountOptions {
  /** IAM policies are enforced; the account's own key is then its root user. Default: false. */
  readonly auth?: boolean;
  /** Further environment variables of the emulator; its Lambda functions inherit them. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Removed with the account where its starter was killed and could not do so. */
  readonly folders?: readonly string[];
}

/** An AWS account on loopback that nobody shares; gone when this process ends at the latest. */
export interface EmulatedAccount {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  /** Environment by which an SDK client in another process reaches the account, and no other account. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for the constructor of an SDK client in this process. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** Aborts at the account's end. */
  readonly signal: AbortSignal;
  /** What the emulator wrote so far. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

const REGION = 'eu-west-1';
const ACCOUNT_ID = '111122223333';

/** What ends each emulator at once: it and all that is under way in its account. */
const running = new Map<ChildProcess, () => void>();
// A test runner ends its workers by a signal, at which `exit` would not come, or is killed itself.
if (process.send !== undefined) for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, () => process.exit(1));
process.once('exit', () => {
  for (const end of running.values()) end();
});

/** The functions' processes are in the group too. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The first Python that can make an environment; null: there is none. */
function findPython(): string | null {
  const check = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))';
  const works = (python: string) => {
    try {
      execFileSync(python, ['-c', check], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  return PYTHONS.find(works) ?? null;
}

/**
 * Why no account can be emulated here, to be said where tests are skipped; null: it can.
 * The first call of all makes the emulator's Python environment in the clone, which takes about 10 seconds.
 */
export function emulatorUnavailable(): string | null {
  if (existsSync(join(VENV, 'ready'))) return null;
  const python = findPython();
  if (python === null) return 'no Python from 3.11 on with venv and pip: the emulated AWS account is left out';
  try {
    execFileSync(python, [PREPARE, VENV, REQUIREMENTS], { stdio: ['ignore', 'ignore', 'pipe'], timeout: PREPARE_DEADLINE_MS });
    return null;
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim().split('\n').at(-1) ?? String(error);
    return `the emulated AWS account is left out: ${said}`;
  }
}

/** Nothing of the caller's environment goes in: the emulator hands its own on to the functions. */
function emulatorEnvironment(port: number, dir: string, options: EmulatedAccountOptions): NodeJS.ProcessEnv {
  return {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    HOME: dir,
    TMPDIR: dir,
    LANG: 'C.UTF-8',
    NODE_PATH: join(ROOT, 'node_modules'),
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    MINISTACK_HOST: '127.0.0.1',
    MINISTACK_ACCOUNT_ID: ACCOUNT_ID,
    MINISTACK_REGION: REGION,
    LAMBDA_EXECUTOR: 'local',
    SFTP_ENABLED: '0',
    IOT_MTLS_ENABLED: '0',
    EMULATED_FOLDERS: [dir, ...(options.folders ?? [])].join(delimiter),
    ...(options.auth === true ? { AUTH: 'true' } : {}),
    ...options.environment,
  };
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/_ministack/health`, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

type Emulator = Pick<EmulatedAccount, 'endpoint' | 'signal' | 'log' | 'stop'>;

/** Null: it ended by itself, most likely because somebody took the port meanwhile. */
async function launch(options: EmulatedAccountOptions): Promise<Emulator | null> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const dir = mkdtempSync(join(tmpdir(), 'prewarm-emulator-'));
  const child = spawn(join(VENV, 'bin', 'python'), ['-uB', LAUNCHER], {
    cwd: dir,
    env: emulatorEnvironment(port, dir, options),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const calls = new AbortController();
  const end = () => {
    calls.abort();
    killGroup(child, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  running.set(child, end);
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => log.push(text));
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      log.push(String(error));
      resolve();
    });
  });
  const ended = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const stop = async () => {
    calls.abort();
    killGroup(child, 'SIGTERM');
    await Promise.race([exited, sleep(STOP_DEADLINE_MS, undefined, { ref: false })]);
    killGroup(child, 'SIGKILL');
    await exited;
    end();
    running.delete(child);
  };
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!ended() && Date.now() < deadline) {
    if (await isHealthy(endpoint)) return { endpoint, signal: calls.signal, log: () => log.join(''), stop };
    await sleep(50);
  }
  await stop();
  process.stderr.write(`the emulated account did not start:\n${log.join('').slice(-2000)}\n`);
  return null;
}

/** Starts an account of its own for the caller. Rejects where `emulatorUnavailable` says why. */
export async function startEmulatedAccount(options: EmulatedAccountOptions = {}): Promise<EmulatedAccount> {
  const unavailable = emulatorUnavailable();
  if (unavailable !== null) throw new Error(unavailable);
  let emulator: Emulator | null = null;
  for (let tries = 0; emulator === null && tries < START_TRIES; tries++) emulator = await launch(options);
  if (emulator === null) throw new Error('the emulated account does not start');
  const { endpoint } = emulator;
  const accessKeyId = options.auth === true ? 'test' : ACCOUNT_ID;
  return {
    endpoint,
    region: REGION,
    accountId: ACCOUNT_ID,
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ENDPOINT_URL: endpoint,
      // Files that are not there: nobody's own profile is ever read.
      AWS_CONFIG_FILE: join(VENV, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(VENV, 'no-credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    client: { endpoint, region: REGION, credentials: { accessKeyId, secretAccessKey: 'test' } },
    signal: emulator.signal,
    log: emulator.log,
    stop: emulator.stop,
  };
}

/** Runs a Python script against the account, with botocore at hand, and returns what it prints, as JSON. */
export async function runInAccount<T>(account: EmulatedAccount, script: string, ...args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(join(VENV, 'bin', 'python'), [script, ...args], {
    env: account.env,
    signal: account.signal,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout) as T;
}

/** One call of a service that the project has no client of: `callAccount(account, 'ec2', 'describe_vpcs')`, in botocore's words. */
export function callAccount<T>(
  account: EmulatedAccount,
  service: string,
  operation: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<T> {
  return runInAccount(account, CALL, service, operation, JSON.stringify(parameters));
}
