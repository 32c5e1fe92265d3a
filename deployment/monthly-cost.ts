import type { PopCatalogue } from '../core/pops/pop-catalogue.ts';
import type { KeepWarmLoad } from '../core/keep-warm/budget.ts';
import prices from './prices.json' with { type: 'json' };

type ByPriceRegion = Readonly<Record<string, number>>;

/** List prices, USD. */
interface KeepWarmPrices {
  readonly cloudFront: { readonly httpsPer10k: ByPriceRegion; readonly outPerGb: ByPriceRegion };
  /** For arm64. */
  readonly lambda: { readonly perMillion: number; readonly perGbSecond: number };
  readonly scheduler: { readonly perMillion: number };
  readonly dynamoDb: { readonly writesPerMillion: number };
  readonly cloudWatch: { readonly perMetric: number; readonly perAlarm: number; readonly perDashboard: number; readonly logsPerGb: number };
}

interface CostAssumptions {
  /** Of an answer, headers included. */
  readonly answerBytes: number;
  readonly lambdaMegabytes: number;
  /** How long an invocation takes. */
  readonly runSeconds: number;
  /** Custom metrics per lane. */
  readonly metricsPerPop: number;
  /** Of the lane's metrics in the log, per run. */
  readonly logBytesPerPop: number;
  /** Alarms that watch the function. */
  readonly functionAlarms: number;
}

/** USD in 30 days. */
interface PopCost {
  readonly pop: string;
  readonly priceRegion: string;
  readonly requests: number;
  readonly cloudFront: number;
  /** Metrics, their log lines and the alarm. */
  readonly monitoring: number;
}

interface KeepWarmCost {
  readonly pops: readonly PopCost[];
  /** Function, schedule, claims, the function's alarms and the dashboard: the same however many POPs there are. */
  readonly fixed: number;
  readonly requests: number;
  readonly total: number;
}

const DAYS_PER_MONTH = 30;
const GB = 1e9;
const MIB_PER_GIB = 1024;

const DEFAULT_ASSUMPTIONS: CostAssumptions = {
  answerBytes: 1000,
  lambdaMegabytes: 256,
  runSeconds: 56,
  metricsPerPop: 6,
  logBytesPerPop: 1500,
  functionAlarms: 3,
};

/** An unknown region is taken for the dearest. */
function priceIn(prices: ByPriceRegion, region: string): number {
  return prices[region] ?? Math.max(...Object.values(prices));
}

/** What keeping warm costs in 30 days: per lane by its POP's price region, and what is shared. */
export function monthlyCost(
  { routes, runsPerDay }: KeepWarmLoad,
  prices: KeepWarmPrices,
  catalogue: Pick<PopCatalogue, 'describe'>,
  assumptions: CostAssumptions = DEFAULT_ASSUMPTIONS,
): KeepWarmCost {
  const runs = runsPerDay * DAYS_PER_MONTH;
  const { answerBytes, lambdaMegabytes, runSeconds, metricsPerPop, logBytesPerPop, functionAlarms } = assumptions;
  const { cloudFront, lambda, scheduler, dynamoDb, cloudWatch } = prices;
  const pops = routes.flatMap(({ pops, requestsPerPop }) =>
    pops.map((pop): PopCost => {
      const { priceRegion } = catalogue.describe(pop);
      const requests = requestsPerPop * runs;
      const asked = (requests / 10_000) * priceIn(cloudFront.httpsPer10k, priceRegion);
      const out = ((requests * answerBytes) / GB) * priceIn(cloudFront.outPerGb, priceRegion);
      const logs = ((runs * logBytesPerPop) / GB) * cloudWatch.logsPerGb;
      const monitoring = metricsPerPop * cloudWatch.perMetric + cloudWatch.perAlarm + logs;
      return { pop, priceRegion, requests, cloudFront: asked + out, monitoring };
    }),
  );
  const computing = runs * runSeconds * (lambdaMegabytes / MIB_PER_GIB) * lambda.perGbSecond;
  const calls = (runs / 1e6) * (lambda.perMillion + scheduler.perMillion + dynamoDb.writesPerMillion);
  const fixed = computing + calls + functionAlarms * cloudWatch.perAlarm + cloudWatch.perDashboard;
  return {
    pops,
    fixed,
    requests: pops.reduce((sum, { requests }) => sum + requests, 0),
    total: pops.reduce((sum, pop) => sum + pop.cloudFront + pop.monitoring, fixed),
  };
}

export type ListPrices = typeof prices;

/** List prices that come with the program, USD. */
export function listPrices(): ListPrices & KeepWarmPrices {
  return prices;
}
