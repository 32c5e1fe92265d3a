import { type Clock, systemClock } from '../../core/clock.ts';
import type { Progress } from '../../core/report/progress.ts';
import { createLiveText, type Terminal, usableColumns } from './live-text.ts';
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
  readonly stream: Terminal;
  /** False: plain lines, at most one every 10 s, and at every change of status. */
  readonly isTTY: boolean;
  /** Default: unless NO_COLOR is set (https://no-color.org). */
  readonly color?: boolean;
  readonly clock?: Clock;
}

const PLAIN_EVERY_MS = 10_000;
const FRAMES_PER_SECOND = 8;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

function createPlainLines(stream: Terminal, clock: Clock): ProgressDisplay {
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

function createBar(stream: Terminal, clock: Clock, color: boolean): ProgressDisplay {
  const startedAt = clock.now();
  let latest: Progress | null = null;
  const line = () =>
    latest === null ? 'starting' : formatBarLine(latest, { width: usableColumns(stream), color, elapsedMs: clock.now() - startedAt });
  const live = createLiveText(stream);
  const showCursor = () => stream.write(SHOW_CURSOR);
  process.once('exit', showCursor);
  stream.write(HIDE_CURSOR);
  live.show(line());
  const drawing = setInterval(() => live.show(line()), 1000 / FRAMES_PER_SECOND);
  return {
    update(progress) {
      latest = progress;
    },
    note: (text) => live.note(text),
    close() {
      clearInterval(drawing);
      process.off('exit', showCursor);
      live.clear();
      showCursor();
      if (latest !== null) stream.write(`${line()}\n`);
    },
  };
}

/** A bar at a terminal, plain lines elsewhere. */
export function createProgressDisplay(options: ProgressDisplayOptions): ProgressDisplay {
  const { stream, isTTY, clock = systemClock, color = !process.env['NO_COLOR'] } = options;
  return isTTY ? createBar(stream, clock, color) : createPlainLines(stream, clock);
}
