import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/**
 * A function's process: loads the bundle named by its argument and handles the events that its parent sends, one at a time. Tells what
 * loading and handling took; standard output is the function's log and nothing else.
 */
export interface FunctionTime {
  /** Without the time in which the process waited for a processor that others had. */
  readonly wallMs: number;
  /** On a processor, of all threads. */
  readonly cpuMs: number;
}

interface FunctionCall {
  readonly event: unknown;
  readonly timeoutMs: number;
  readonly invocation: string;
}

export type FunctionReply =
  | { readonly kind: 'loaded'; readonly time: FunctionTime }
  | { readonly kind: 'handled'; readonly time: FunctionTime; readonly answer?: unknown; readonly error?: string };

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

interface Clocks {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly queuedMs: number;
}

/** Of the main thread: nanoseconds on a processor, and those it was kept waiting for one. */
function readClocks(): Clocks {
  const [, queued = '0'] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000, queuedMs: Number(queued) / 1e6 };
}

async function timed<T>(work: () => Promise<T>, before: Clocks = readClocks()): Promise<{ result: T; time: FunctionTime }> {
  const result = await work();
  const after = readClocks();
  const wallMs = after.wallMs - before.wallMs - (after.queuedMs - before.queuedMs);
  return { result, time: { wallMs, cpuMs: after.cpuMs - before.cpuMs } };
}

const reply = (message: FunctionReply) => process.send?.(message);

const START: Clocks = { wallMs: 0, cpuMs: 0, queuedMs: 0 };
// From the process's own start: what comes before the bundle is paid as well.
const { result, time } = await timed(
  () => import(pathToFileURL(process.argv[2] ?? '').href) as Promise<{ readonly handler: Handler }>,
  START,
);

async function handle({ event, timeoutMs, invocation }: FunctionCall): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const context = {
    awsRequestId: invocation,
    functionName: process.env['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: '$LATEST',
    memoryLimitInMB: process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    getRemainingTimeInMillis: () => deadline - performance.now(),
  };
  const { result: outcome, time: taken } = await timed(() =>
    result.handler(event, context).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error: String(error) }),
    ),
  );
  reply({ kind: 'handled', time: taken, ...outcome });
}

process.on('message', (message) => void handle(message as FunctionCall));
process.on('disconnect', () => process.exit(0));
reply({ kind: 'loaded', time });
