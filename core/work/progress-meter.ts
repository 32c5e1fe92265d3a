import type { Clock } from '../clock.ts';
import type { Provisional, RequestStore } from '../ports/request-store.ts';
import type { TaskRun } from './task-run.ts';

/** Over this long the rate of finished targets is averaged. */
const RATE_WINDOW_MS = 5000;

export interface ProgressMeter {
  begin(requestId: string, run: TaskRun): void;
  /** `recorded`: its targets are accounted from now on. */
  end(requestId: string, run: TaskRun, recorded: boolean): void;
  /**
   * Writes one row per request, unless the last were written less than `pauseMs` ago. A request that no task is held for any more gets a
   * row of zeros, which removes its figures, and is forgotten once that row is written.
   */
  report(): Promise<void>;
}

interface Sample {
  readonly at: number;
  readonly finished: number;
  readonly bytes: number;
}

interface Meter {
  readonly runs: Set<TaskRun>;
  recorded: number;
  recordedBytes: number;
  readonly samples: Sample[];
}

/** How much of a figure came a second between two samples. */
function perSecond(first: Sample, last: Sample, figure: 'finished' | 'bytes'): number {
  const elapsed = last.at - first.at;
  return elapsed > 0 ? Math.max(0, ((last[figure] - first[figure]) * 1000) / elapsed) : 0;
}

/** What this agent has done of tasks that are not recorded yet, for the progress bar only: it may fall, and a write that fails is made good by the next. */
export function createProgressMeter(
  clock: Clock,
  store: Pick<RequestStore, 'putProvisional'>,
  agentId: string,
  inFlightOf: (requestId: string) => number,
  pauseMs = 0,
): ProgressMeter {
  const meters = new Map<string, Meter>();
  let reportedAt = Number.NEGATIVE_INFINITY;

  function read(requestId: string, meter: Meter): Provisional {
    let count = 0;
    let bytes = 0;
    for (const run of meter.runs) {
      count += run.finished;
      bytes += run.objectBytes;
    }
    const updatedAt = clock.now();
    const { samples } = meter;
    const last = { at: updatedAt, finished: meter.recorded + count, bytes: meter.recordedBytes + bytes };
    samples.push(last);
    while (samples.length > 2 && updatedAt - (samples[0]?.at ?? 0) > RATE_WINDOW_MS) samples.shift();
    const first = samples[0] ?? last;
    const rate = perSecond(first, last, 'finished');
    const byteRate = perSecond(first, last, 'bytes');
    return { requestId, agentId, count, bytes, rate, byteRate, inFlight: inFlightOf(requestId), updatedAt };
  }

  return {
    begin(requestId, run) {
      let meter = meters.get(requestId);
      if (!meter) {
        meter = { runs: new Set(), recorded: 0, recordedBytes: 0, samples: [{ at: clock.now(), finished: 0, bytes: 0 }] };
        meters.set(requestId, meter);
      }
      meter.runs.add(run);
    },
    end(requestId, run, recorded) {
      const meter = meters.get(requestId);
      if (!meter) return;
      meter.runs.delete(run);
      if (!recorded) return;
      meter.recorded += run.finished;
      meter.recordedBytes += run.objectBytes;
    },
    async report() {
      if (meters.size === 0 || Math.abs(clock.now() - reportedAt) < pauseMs) return;
      reportedAt = clock.now();
      for (const [requestId, meter] of meters) {
        const row = read(requestId, meter);
        const isOver = meter.runs.size === 0;
        try {
          await store.putProvisional(isOver ? { ...row, count: 0, bytes: 0, rate: 0, byteRate: 0, inFlight: 0 } : row);
          // A task may have begun while the row was written.
          if (isOver && meter.runs.size === 0) meters.delete(requestId);
        } catch {
          // Progress that is not shown for a second loses nothing; stores that stay broken stop the tasks themselves.
        }
      }
    },
  };
}
