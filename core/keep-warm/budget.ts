import type { InputFault } from '../errors.ts';
import { inputFault } from '../input-fault.ts';
import type { KeepWarmRoute } from './route.ts';

/** What is sent, as far as the budget goes. */
export interface KeepWarmLoad {
  readonly routes: readonly Pick<KeepWarmRoute, 'pops' | 'requestsPerPop'>[];
  readonly runsPerDay: number;
}

const whole = (count: number) => count.toLocaleString('en-US');
const counted = (count: number, noun: string) => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;

export function requestsPerDay({ routes, runsPerDay }: KeepWarmLoad): number {
  const perRun = routes.reduce((sum, { pops, requestsPerPop }) => sum + pops.length * requestsPerPop, 0);
  return Math.ceil(perRun * runsPerDay);
}

/** What the requests are sent in: runs of a schedule, or every minute of a process that stays. */
export type LoadUnit = 'run' | 'minute';

/** `2 POPs x 60 requests x 1,440 runs = 172,800 requests a day`, or `2 POPs x 60 requests a minute x 1,440 minutes = ...`. */
export function describeLoad(load: KeepWarmLoad, unit: LoadUnit = 'run'): string {
  const each = unit === 'minute' ? ' a minute' : '';
  const parts = load.routes.map(
    ({ pops, requestsPerPop }) => `${counted(pops.length, 'POP')} x ${counted(requestsPerPop, 'request')}${each}`,
  );
  const perRun = parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' + ')})`;
  return `${perRun} x ${counted(load.runsPerDay, unit)} = ${counted(requestsPerDay(load), 'request')} a day`;
}

/** Null: the load stays within `maxRequestsPerDay`. `field` is what that limit is called. */
export function budgetFault(load: KeepWarmLoad, maxRequestsPerDay: number, field: string, unit: LoadUnit = 'run'): InputFault | null {
  if (requestsPerDay(load) <= maxRequestsPerDay) return null;
  const rarer = unit === 'run' ? 'run less often, ' : '';
  const remedy = `name fewer POPs, send fewer requests, ${rarer}or raise ${field}`;
  return inputFault(field, String(maxRequestsPerDay), `would be passed: ${describeLoad(load, unit)}; ${remedy}`);
}

/** A machine of one's own runs every minute. */
export const MINUTES_PER_DAY = 1440;

/** Of routes that run every minute; empty where there is no limit, or they stay within it. */
export function dailyBudgetFaults(routes: KeepWarmLoad['routes'], maxPerDay: number | undefined, field: string): readonly InputFault[] {
  const fault = maxPerDay === undefined ? null : budgetFault({ routes, runsPerDay: MINUTES_PER_DAY }, maxPerDay, field, 'minute');
  return fault === null ? [] : [fault];
}
