import type { Header } from '../request/request.ts';

/** One URL whose connections from the POPs to the origin are held open. Everything in it is valid. */
export interface KeepWarmRoute {
  /** The distribution's own name, under which its POPs are found; null only where an edge map stands in for DNS. */
  readonly domain: string | null;
  /** Normalised: `https://host/path`. */
  readonly url: string;
  /** Without duplicates. */
  readonly pops: readonly string[];
  /** Requests through each POP in each run. */
  readonly requestsPerPop: number;
  readonly method: 'GET' | 'HEAD';
  readonly headers: readonly Header[];
}

/** One POP of one route: what is planned, limited and counted by itself. */
export interface Lane {
  readonly route: KeepWarmRoute;
  readonly pop: string;
  /** Distinct among the lanes of a plan. */
  readonly key: string;
}

export function lanesOf(routes: readonly KeepWarmRoute[]): readonly Lane[] {
  return routes.flatMap((route) => route.pops.map((pop) => ({ route, pop, key: `${route.method} ${route.url} ${pop}` })));
}

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
