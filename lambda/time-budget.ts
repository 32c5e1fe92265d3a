import type { Context } from 'aws-lambda';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';

export type TimeLeft = Pick<Context, 'getRemainingTimeInMillis'>;

/** What an invocation has left of its time. */
export interface TimeBudget {
  /** Too little for one more share of work. */
  isShort(): boolean;
  /** What was under way has been broken off: nothing it answered means that there is nothing left to do. */
  isHalted(): boolean;
  close(): void;
}

/** The longest share (a minute of sizing), and time to hand the rest on. */
const SHARE_MS = 90_000;
const HALT_MS = 10_000;

/** Breaks off the pipeline shortly before the invocation would be: what was decided so far is kept, and the rest is handed on. */
export function openTimeBudget(context: TimeLeft, pipeline: Pick<Pipeline, 'halt'>): TimeBudget {
  let halted = false;
  const timer = setTimeout(
    () => {
      halted = true;
      pipeline.halt();
    },
    Math.max(0, context.getRemainingTimeInMillis() - HALT_MS),
  );
  return {
    isShort: () => context.getRemainingTimeInMillis() < SHARE_MS,
    isHalted: () => halted,
    close: () => clearTimeout(timer),
  };
}
