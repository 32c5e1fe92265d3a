import { type KeepWarmRoute, type Lane, lanesOf } from './route.ts';

/** One request of a run. */
export interface PlannedRequest {
  /** From the start of the run. */
  readonly offsetMs: number;
  readonly lane: Lane;
  /** Counts the lane's requests over all runs, so that each takes the next of the POP's addresses. */
  readonly ordinal: number;
}

/**
 * The requests of a run in the order they are sent: those of a lane evenly over the span, lanes shifted against each other,
 * so that no two POPs are asked at once and no pause is longer than another. `run` numbers the runs.
 */
export function planRun(routes: readonly KeepWarmRoute[], spanMs: number, run: number): readonly PlannedRequest[] {
  const lanes = lanesOf(routes);
  return lanes
    .flatMap((lane, place) => {
      const { requestsPerPop } = lane.route;
      const stepMs = spanMs / requestsPerPop;
      return Array.from({ length: requestsPerPop }, (_, nth) => ({
        offsetMs: (nth + place / lanes.length) * stepMs,
        lane,
        ordinal: run * requestsPerPop + nth,
      }));
    })
    .sort((a, b) => a.offsetMs - b.offsetMs);
}
