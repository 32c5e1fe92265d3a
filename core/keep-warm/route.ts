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
