import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { KeepWarmRoute } from './route.ts';

/** What is sent, as far as the budget goes. */
export interface KeepWarmLoad {
  readonly routes: readonly Pick<KeepWarmRoute, 'pops' | 'requestsPerPop'>[];
  readonly runsPerDay: number;
}

const whole = (count: number) => count.toLocaleString('en-US');

export function requestsPerDay({ routes, runsPerDay }: KeepWarmLoad): number {
  const perRun = routes.reduce((sum, { pops, requestsPerPop }) => sum + pops.length * requestsPerPop, 0);
  return Math.ceil(perRun * runsPerDay);
}

/** `2 POPs x 60 requests x 1,440 runs = 172,800 requests a day`. */
export function describeLoad(load: KeepWarmLoad): string {
  const parts = load.routes.map(({ pops, requestsPerPop }) => `${pops.length} POPs x ${requestsPerPop} requests`);
  const perRun = parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' + ')})`;
  return `${perRun} x ${whole(load.runsPerDay)} runs = ${whole(requestsPerDay(load))} requests a day`;
}

/** Null: the load stays within `maxRequestsPerDay`. `field` is what that limit is called. */
export function budgetFault(load: KeepWarmLoad, maxRequestsPerDay: number, field: string): InputFault | null {
  if (requestsPerDay(load) <= maxRequestsPerDay) return null;
  const remedy = `name fewer POPs, send fewer requests, run less often, or raise ${field}`;
  return inputFault(field, String(maxRequestsPerDay), `would be passed: ${describeLoad(load)}; ${remedy}`);
}
