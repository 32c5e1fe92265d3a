import type { ServerResponse } from 'node:http';
import { objectBytes, PIECE_BYTES } from './object-bytes.ts';

/** How a body is sent. */
export interface BodyPlan {
  /** First byte of the object that is sent. */
  readonly start: number;
  /** Behind the last one. */
  readonly end: number;
  /** Break off here, before `end`: by closing the connection, or by silence. */
  readonly breakOff?: { readonly at: number; readonly by: 'close' | 'silence' };
  readonly bytesPerSecond?: number;
  readonly wait: (ms: number) => Promise<void>;
  /** Told of each piece handed to the connection. */
  readonly onBytes: (bytes: number) => void;
}

const TRICKLE_STEP_MS = 50;

function finish(res: ServerResponse, { breakOff }: BodyPlan): void {
  if (breakOff === undefined) res.end();
  else if (breakOff.by === 'close') res.socket?.destroySoon();
}

async function trickle(res: ServerResponse, plan: BodyPlan, bytesPerSecond: number): Promise<void> {
  const stop = plan.breakOff?.at ?? plan.end;
  const step = Math.min(PIECE_BYTES, Math.max(1, Math.round((bytesPerSecond * TRICKLE_STEP_MS) / 1000)));
  for (let at = plan.start; at < stop && !res.destroyed; ) {
    const piece = objectBytes(at, Math.min(stop, at + step));
    await plan.wait((piece.length * 1000) / bytesPerSecond);
    if (res.destroyed) return;
    at += piece.length;
    plan.onBytes(piece.length);
    // Together, because a client that has all announced bytes may go away at once.
    if (at === plan.end) {
      res.end(piece);
      return;
    }
    res.write(piece);
  }
  if (!res.destroyed) finish(res, plan);
}

/** Sends the bytes of an object after the headers, no faster than the client reads them. Headers must have been written. */
export async function sendBody(res: ServerResponse, plan: BodyPlan): Promise<void> {
  if (plan.bytesPerSecond !== undefined) {
    res.flushHeaders();
    return trickle(res, plan, plan.bytesPerSecond);
  }
  const stop = plan.breakOff?.at ?? plan.end;
  let at = plan.start;
  const pump = (): void => {
    while (at < stop && !res.destroyed) {
      const piece = objectBytes(at, stop);
      at += piece.length;
      plan.onBytes(piece.length);
      if (at === plan.end) {
        res.end(piece);
        return;
      }
      if (!res.write(piece)) {
        res.once('drain', pump);
        return;
      }
    }
    if (!res.destroyed) finish(res, plan);
  };
  if (stop < plan.end && at === stop) res.flushHeaders();
  pump();
}
