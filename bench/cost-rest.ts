import type { ListPrices } from '../deployment/monthly-cost.ts';
import type { CostMeter } from './cost-meter.ts';
import { createCostFunctions } from './cost-functions.ts';
import type { MeasuredRun } from './cost-run.ts';
import type { CostStage } from './cost-stage.ts';
import type { SynthesizedStack } from './cost-template.ts';
import { addUsage, NO_USAGE, priceUsage, totalOf, type Usage } from './cost-usage.ts';

/** A line of what the deployed stack costs while nobody uses it. */
export interface RestingCost {
  readonly what: string;
  /** USD in 30 days. */
  readonly usd: number;
}

/** Of the fleet's timer: one run, the process being there already. */
export interface TimerRun {
  readonly usage: Usage;
  /** Told by each run, so that they are paid all the time. */
  readonly metrics: ReadonlySet<string>;
}

const RUNS = 5;
const DAYS = 30;
const SECONDS_PER_MONTH = DAYS * 86_400;
/** Lambda waits at a queue with five long polls of 20 s at once, by what is known of it; it cannot be measured here. */
const POLLS_PER_QUEUE = (5 * SECONDS_PER_MONTH) / 20;
const HOURS_PER_MONTH = 730;
/** Count, latency, the function's latency and both kinds of errors, where the stage has detailed metrics. */
const GATEWAY_METRICS = 5;

export async function measureTimer(stage: CostStage, meter: CostMeter, stack: SynthesizedStack): Promise<TimerRun> {
  const functions = createCostFunctions({ meter, stack, variablesOf: (_, endpoint) => stage.variablesAt(endpoint) });
  try {
    const shutdown = await functions.get('shutdown', 'timer');
    await shutdown.invoke({ kind: 'fleet' });
    const before = functions.usage('timer');
    for (let run = 0; run < RUNS; run++) await shutdown.invoke({ kind: 'fleet' });
    const difference = addUsage(functions.usage('timer'), before, -1);
    return { usage: addUsage(NO_USAGE, difference, 1 / RUNS), metrics: shutdown.metrics() };
  } finally {
    await functions.stop();
  }
}

export function restingCosts(stack: SynthesizedStack, timer: TimerRun, prices: ListPrices): readonly RestingCost[] {
  const { cloudWatch, sqs } = prices;
  const polls = stack.polledQueues * POLLS_PER_QUEUE;
  return [
    { what: `${stack.dashboards} dashboard`, usd: stack.dashboards * cloudWatch.perDashboard },
    { what: `${stack.alarms} alarms`, usd: stack.alarms * cloudWatch.perAlarm },
    { what: `${timer.metrics.size} metrics that the fleet's timer tells`, usd: timer.metrics.size * cloudWatch.perMetric },
    {
      what: `Lambda's polls of ${stack.polledQueues} queues, ${Math.round(polls).toLocaleString('en-US')} (documented, not measured)`,
      usd: (polls * sqs.perMillion) / 1e6,
    },
    {
      what: `the fleet's timer, ${stack.timerRuns.toLocaleString('en-US')} runs`,
      usd: totalOf(priceUsage(timer.usage, prices)) * stack.timerRuns,
    },
  ];
}

/** USD of an hour in which there is a request: metrics are paid by the hours in which they are told. */
export function hourlyMetrics(run: MeasuredRun, timer: TimerRun, prices: ListPrices): { readonly count: number; readonly usd: number } {
  const count = [...run.metrics].filter((metric) => !timer.metrics.has(metric)).length + GATEWAY_METRICS;
  return { count, usd: (count * prices.cloudWatch.perMetric) / HOURS_PER_MONTH };
}

/** USD for keeping what a million targets leave until it expires, 30 days later; backups included. */
export function keepingCost({ storedItems, storedObjects, targets }: MeasuredRun, prices: ListPrices): number {
  const perMillion = 1e6 / targets / 1e9;
  const items = storedItems * perMillion * (prices.dynamoDb.perGbMonth + prices.dynamoDb.backupPerGbMonth);
  return items + storedObjects * perMillion * prices.s3.perGbMonth;
}
