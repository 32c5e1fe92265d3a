import type { KeepWarmLoad } from '../../core/keep-warm/budget.ts';
import { describeLoad, requestsPerDay } from '../../core/keep-warm/budget.ts';
import { monthlyCost } from '../../deployment/keep-warm-cost.ts';
import { DEFAULT_PER_MINUTE } from '../../core/keep-warm/route-list.ts';
import type { RouteInput } from '../../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { listPrices } from '../../deployment/prices.ts';
import { DEFAULT_MAX_REQUESTS } from './keep-warm-parameters.ts';

const RUNS_PER_DAY = 1440;
/** One of each price, where no POP is known yet. */
const EXAMPLES = ['IAD89-P1', 'FRA56-P4', 'GRU3-P1'];

const dollars = (amount: number) => `$${amount.toFixed(2)}`;

const regionText = (priceRegion: string) => (priceRegion === 'unknown' ? 'unknown, taken for the dearest' : priceRegion);

/** Describes what 30 days cost in USD, for the synthesis to print: for the routes, or (null) for one POP by the parameters' defaults. */
export function describeCost(routes: readonly RouteInput[] | null): string {
  const load: KeepWarmLoad = {
    routes: routes?.map(({ route }) => route) ?? [{ pops: EXAMPLES, requestsPerPop: DEFAULT_PER_MINUTE }],
    runsPerDay: RUNS_PER_DAY,
  };
  const cost = monthlyCost(load, listPrices(), popCatalogue());
  const pops = cost.pops.map(
    ({ pop, priceRegion, cloudFront, monitoring }) =>
      `\n  ${pop} (${regionText(priceRegion)}) ${dollars(cloudFront)} for requests + ${dollars(monitoring)} for metrics and its alarm`,
  );
  const what =
    routes === null ? `With the defaults, ${DEFAULT_PER_MINUTE} requests a minute, a POP costs a month, for example` : describeLoad(load);
  const sum = routes === null ? '' : `\nTogether ${dollars(cost.total)} a month.`;
  const isTooMuch = routes !== null && requestsPerDay(load) > DEFAULT_MAX_REQUESTS;
  const limit = isTooMuch
    ? `\nDeploy with --parameters maxRequestsPerDay=${requestsPerDay(load)}: unless it is set, ${DEFAULT_MAX_REQUESTS} is the limit.`
    : '';
  return `${what}:${pops.join('')}\nFunction and dashboard cost ${dollars(cost.fixed)} a month besides, however many POPs there are.${sum}${limit}`;
}
