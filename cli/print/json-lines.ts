import { type Clock, systemClock } from '../../core/clock.ts';
import type { Progress } from '../../core/report/progress.ts';

/** Progress objects, one a line. */
export interface JsonLines {
  update(progress: Progress): void;
  /** Writes the last object unless it has been. */
  close(): void;
}

const LINE_EVERY_MS = 1000;

/** Writes at most one object a second, and always the last one. */
export function createJsonLines(stream: NodeJS.WritableStream, clock: Clock = systemClock): JsonLines {
  let pending: Progress | null = null;
  let writtenAt = Number.NEGATIVE_INFINITY;
  const flush = () => {
    if (pending === null) return;
    stream.write(`${JSON.stringify(pending)}\n`);
    pending = null;
    writtenAt = clock.now();
  };
  return {
    update(progress) {
      pending = progress;
      if (clock.now() - writtenAt >= LINE_EVERY_MS) flush();
    },
    close: flush,
  };
}
