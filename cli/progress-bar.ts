import cliProgress from 'cli-progress';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Progress } from '../core/progress.ts';
import { formatBarLine, formatPlainLine } from './progress-line.ts';

/** Shows how far a request is. */
export interface ProgressDisplay {
  update(progress: Progress): void;
  /** Prints a line of text without tearing the display. */
  note(text: string): void;
  /** Leaves the last state on the screen. Nothing may be called afterwards. */
  close(): void;
}

export interface ProgressDisplayOptions {
  /** Where it is drawn: standard error, so that standard output carries results only. */
  readonly stream: NodeJS.WritableStream;
  /** False: plain lines, at most one every 10 s, and at every change of status. */
  readonly isTTY: boolean;
  /** Default: unless NO_COLOR is set (https://no-color.org). */
  readonly color?: boolean;
  readonly clock?: Clock;
}

const PLAIN_EVERY_MS = 10_000;
const FRAMES_PER_SECOND = 8;
const SHOW_CURSOR = '\u001b[?25h';

function createPlainLines(stream: NodeJS.WritableStream, clock: Clock): ProgressDisplay {
  let shown: Progress | null = null;
  let latest: Progress | null = null;
  let shownAt = 0;
  const show = (progress: Progress) => {
    stream.write(`${formatPlainLine(progress)}\n`);
    shown = progress;
    shownAt = clock.now();
  };
  return {
    update(progress) {
      latest = progress;
      if (shown?.status !== progress.status || clock.now() - shownAt >= PLAIN_EVERY_MS) show(progress);
    },
    note: (text) => {
      stream.write(`${text}\n`);
    },
    close() {
      if (latest !== null && latest !== shown) show(latest);
    },
  };
}

function createBar(stream: NodeJS.WritableStream, clock: Clock, color: boolean): ProgressDisplay {
  const startedAt = clock.now();
  const columns = () => ('columns' in stream && typeof stream.columns === 'number' && stream.columns > 0 ? stream.columns : 80);
  let latest: Progress | null = null;
  const line = () =>
    // One column less: a full last column makes some terminals wrap.
    latest === null ? 'starting' : formatBarLine(latest, { width: columns() - 1, color, elapsedMs: clock.now() - startedAt });
  const bar = new cliProgress.SingleBar({
    stream,
    format: line,
    fps: FRAMES_PER_SECOND,
    hideCursor: true,
    // Ours decides what a signal does, and a bar must not swallow it.
    gracefulExit: false,
    clearOnComplete: true,
  });
  const showCursor = () => stream.write(SHOW_CURSOR);
  process.once('exit', showCursor);
  bar.start(1, 0);
  return {
    update(progress) {
      latest = progress;
    },
    note(text) {
      bar.stop();
      stream.write(`${text}\n`);
      bar.start(1, 0);
    },
    close() {
      bar.stop();
      process.off('exit', showCursor);
      if (latest !== null) stream.write(`${line()}\n`);
    },
  };
}

/** A bar at a terminal, plain lines elsewhere. */
export function createProgressDisplay(options: ProgressDisplayOptions): ProgressDisplay {
  const { stream, isTTY, clock = systemClock, color = !process.env['NO_COLOR'] } = options;
  return isTTY ? createBar(stream, clock, color) : createPlainLines(stream, clock);
}
