import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RUNNER = fileURLToPath(new URL('./scripts/run-entry.ts', import.meta.url));

/** A function's entry in a process of its own, as it runs in AWS: configured by nothing but its environment. */
export interface FunctionProcess {
  /** Rejects with what the handler threw. */
  invoke<T>(event: unknown, awsRequestId?: string): Promise<T>;
  /** Lines that it logged so far. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<void>;
}

export function startFunction(name: string, env: Readonly<Record<string, string>>): FunctionProcess {
  const child = spawn(process.execPath, [RUNNER, `${ROOT}lambda/${name}/entry.ts`], {
    env: { PATH: process.env['PATH'] ?? '', POWERTOOLS_LOG_LEVEL: 'INFO', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const lines: Record<string, unknown>[] = [];
  const waiting: ((line: string | null) => void)[] = [];
  let stderr = '';
  // Errors are logged there.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>);
    else stderr += `${line}\n`;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('RESULT ')) waiting.shift()?.(line.slice('RESULT '.length));
    else lines.push(JSON.parse(line) as Record<string, unknown>);
  });
  void exited.then(() => {
    for (const settle of waiting) settle(null);
  });
  return {
    lines,
    async invoke<T>(event: unknown, awsRequestId = 'an-invocation') {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      waiting.push(resolve);
      child.stdin.write(`${JSON.stringify({ event, awsRequestId })}\n`);
      const line = await promise;
      if (line === null) throw new Error(`the function ${name} ended: ${stderr}`);
      const result = JSON.parse(line) as { answer: T } | { error: string };
      if ('error' in result) throw new Error(result.error);
      return result.answer;
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
