import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface ChildScript {
  readonly child: ChildProcess;
  /** The next line of its standard output; rejects when it ends before. */
  nextLine(): Promise<string>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`scripts/${name}.ts`, import.meta.url));
}

/** Runs a script of `scripts/` as a process of its own, which does not outlive the test. */
export function startScript(name: string, args: readonly string[]): ChildScript {
  return startCommand(process.execPath, ['--expose-gc', scriptPath(name), ...args]);
}

export function startCommand(command: string, args: readonly string[]): ChildScript {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    child,
    ended,
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${args.join(' ')} ended (${await ended}) without a further line`);
      return value;
    },
  };
}
