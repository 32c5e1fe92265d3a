import { plainLines } from '../core/plain-text.ts';
import type { PopProgress, Progress } from '../core/progress.ts';
import { popCatalogue } from '../data/catalogue.ts';
import { createJsonLines } from './json-lines.ts';
import { createProgressDisplay } from './progress-bar.ts';

/** What a run shows: progress on standard error for people, or as JSON lines on standard output for scripts, then its end. */
export interface RunOutput {
  readonly everyMs: number;
  progress(progress: Progress): void;
  note(text: string): void;
  /** What agents write to their standard error. */
  agentOutput(text: string): void;
  end(progress: Progress, pops: readonly PopProgress[], elapsedMs: number): Promise<void>;
  close(): void;
}

const LOOK_EVERY_MS = 200;

export function createRunOutput(options: { readonly json: boolean }): RunOutput {
  const { stdout, stderr } = process;
  const lines = options.json ? createJsonLines(stdout) : null;
  const display = options.json ? null : createProgressDisplay({ stream: stderr, isTTY: stderr.isTTY });
  let closed = false;

  function note(text: string): void {
    if (display !== null && !closed) display.note(text);
    else stderr.write(`${text}\n`);
  }

  function close(): void {
    if (closed) return;
    closed = true;
    display?.close();
    lines?.close();
  }

  return {
    everyMs: LOOK_EVERY_MS,
    progress: (progress) => (display ?? lines)?.update(progress),
    note,
    agentOutput: (text) => note(plainLines(text.trimEnd())),
    async end(progress, pops, elapsedMs) {
      (display ?? lines)?.update(progress);
      close();
      if (options.json) return;
      const { formatEnd } = await import('./pop-table.ts');
      const catalogue = popCatalogue();
      const color = stdout.isTTY && !process.env['NO_COLOR'];
      const width = stdout.isTTY ? { width: stdout.columns } : {};
      stdout.write(formatEnd(progress, pops, { cityOf: (pop) => catalogue.describe(pop).city, color, elapsedMs, ...width }));
    },
    close,
  };
}
