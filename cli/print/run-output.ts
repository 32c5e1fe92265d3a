import { plainLines, plainText } from '../../core/plain-text.ts';
import type { PopProgress, Progress } from '../../core/report/progress.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { MAX_SHOWN, type ToldFailures } from './failure-lines.ts';
import { createJsonLines } from './json-lines.ts';
import { createProgressDisplay } from './progress-bar.ts';
import { columnsOf, wrapAt, wrapNote } from './screen.ts';
import { createSteadyProgress } from './steady-progress.ts';

/** How a request ended. */
interface RunEnd {
  readonly progress: Progress;
  readonly pops: readonly PopProgress[];
  readonly elapsedMs: number;
  /** Null: nothing failed. */
  readonly failures: ToldFailures | null;
}

/** What a run shows: progress on standard error for people, or as JSON lines on standard output for scripts, then its end. */
export interface RunOutput {
  readonly everyMs: number;
  progress(progress: Progress): void;
  note(text: string): void;
  /** What agents write to their standard error. */
  agentOutput(text: string): void;
  end(end: RunEnd): Promise<void>;
  close(): void;
}

/** The last object of `--json`: with the POPs and the first failures beside the figures. */
function viewEnd({ progress, pops, failures }: RunEnd) {
  const groups = failures?.digest.groups().slice(0, MAX_SHOWN) ?? [];
  return { ...progress, pops, failures: groups.map((group) => ({ ...group, cause: plainText(group.cause) })) };
}

const LOOK_EVERY_MS = 200;

export function createRunOutput(options: { readonly json: boolean }): RunOutput {
  const { stdout, stderr } = process;
  const lines = options.json ? createJsonLines(stdout) : null;
  const display = options.json ? null : createProgressDisplay({ stream: stderr, isTTY: stderr.isTTY });
  const steady = createSteadyProgress();
  let closed = false;

  function note(text: string): void {
    const lines = wrapNote(text, wrapAt(stderr));
    if (display !== null && !closed) display.note(lines);
    else stderr.write(`${lines}\n`);
  }

  function close(): void {
    if (closed) return;
    closed = true;
    display?.close();
    lines?.close();
  }

  return {
    everyMs: LOOK_EVERY_MS,
    progress(progress) {
      display?.update(steady(progress));
      lines?.update(progress);
    },
    note,
    agentOutput: (text) => note(plainLines(text.trimEnd())),
    async end(end) {
      display?.update(end.progress);
      lines?.update(viewEnd(end));
      close();
      if (options.json) return;
      const { formatEnd } = await import('./pop-table.ts');
      const catalogue = popCatalogue();
      const look = { color: stdout.isTTY && !process.env['NO_COLOR'], width: columnsOf(stdout), wrap: wrapAt(stdout) };
      // At a terminal the table follows the bar.
      const gap = stdout.isTTY && stderr.isTTY ? '\n' : '';
      stdout.write(`${gap}${formatEnd(end.progress, end.pops, { ...end, ...look, cityOf: (pop) => catalogue.describe(pop).city })}`);
    },
    close,
  };
}
