import { join } from 'node:path';
import { type ListPrices, listPrices } from '../deployment/monthly-cost.ts';
import { emulatorUnavailable, startEmulatedAccount } from '../testing/aws-account/emulated-account.ts';
import type { Bench, BenchContext } from './bench.ts';
import { createCostMeter } from './cost-meter.ts';
import { hourlyMetrics, keepingCost, measureTimer, type RestingCost, restingCosts, type TimerRun } from './cost-rest.ts';
import { type MeasuredRun, runCostRequest } from './cost-run.ts';
import { openCostStage } from './cost-stage.ts';
import { type SynthesizedStack, synthesizeStack } from './cost-template.ts';
import { addUsage, fitLine, NO_USAGE, priceUsage, totalOf, USAGE_KINDS, USAGE_NAMES } from './cost-usage.ts';
import { markdownTable } from './figures.ts';

/** USD for the control plane of a million targets. */
const GOAL = 0.02;
const POPS = 20;
const URLS = { small: 1500, large: 6000 };
const QUICK = { pops: 4, small: 500, large: 1500 };

interface Measured {
  readonly stack: SynthesizedStack;
  readonly small: MeasuredRun;
  readonly large: MeasuredRun;
  readonly timer: TimerRun;
}

async function measure(context: BenchContext): Promise<Measured> {
  const unavailable = emulatorUnavailable();
  if (unavailable !== null) throw new Error(unavailable);
  context.say('synthesizing the stack');
  const stack = await synthesizeStack(join(context.dir, 'assembly'), context.dir);
  const account = await startEmulatedAccount();
  const meter = createCostMeter(account.endpoint);
  const stage = await openCostStage(account);
  const run = (urls: number, pops: number) => {
    context.say(`${urls} URLs at ${pops} POPs`);
    return runCostRequest({ stage, meter, stack, dir: context.dir }, { urls, pops });
  };
  try {
    const { pops, small, large } = context.quick ? QUICK : { ...URLS, pops: POPS };
    const measured = { stack, small: await run(small, pops), large: await run(large, pops) };
    context.say('the timer of the fleet, at rest');
    return { ...measured, timer: await measureTimer(stage, meter, stack) };
  } finally {
    await stage.close();
    await meter.close();
    await account.stop();
  }
}

const dollars = (usd: number) => usd.toFixed(5);
const amount = (value: number) => (value === 0 ? '0' : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US'));
const whole = ({ usage }: MeasuredRun) => [...usage.values()].reduce((sum, each) => addUsage(sum, each), NO_USAGE);

function kindsTable({ small, large }: Measured, prices: ListPrices): { readonly text: string; readonly total: number } {
  const counted = whole(large);
  const { perRequest } = fitLine({ targets: small.targets, usage: whole(small) }, { targets: large.targets, usage: counted });
  const perMillion = addUsage(NO_USAGE, counted, 1e6 / large.targets);
  const priced = priceUsage(perMillion, prices);
  const total = totalOf(priced);
  const rows = USAGE_KINDS.filter((kind) => counted[kind] > 0).map((kind) => [
    USAGE_NAMES[kind],
    amount(counted[kind]),
    amount(perRequest[kind]),
    amount(perMillion[kind]),
    dollars(priced[kind]),
  ]);
  const head = [
    '',
    `counted, ${large.targets.toLocaleString('en-US')} targets`,
    'of these per request',
    'per million targets',
    'USD per million',
  ];
  return { text: markdownTable(head, [...rows, ['**All**', '', '', '', `**${dollars(total)}**`]]), total };
}

function callersTable({ large }: Measured, prices: ListPrices): string {
  const rows = [...large.usage].map(([caller, usage]) => {
    const priced = priceUsage(addUsage(NO_USAGE, usage, 1e6 / large.targets), prices);
    const lambda = priced.lambdaCalls + priced.lambdaGbSeconds + priced.logBytes;
    const dynamo = priced.dynamoReads + priced.dynamoWrites;
    const objects = priced.s3Gets + priced.s3Puts;
    const { lambdaCalls, lambdaGbSeconds } = usage;
    const calls = lambdaCalls === 0 ? ['', ''] : [lambdaCalls, lambdaGbSeconds.toFixed(1)];
    return [caller, ...calls, ...[lambda, dynamo, objects, priced.sqsRequests, totalOf(priced)].map(dollars)];
  });
  return markdownTable(['USD per million targets', 'invocations', 'GB-seconds', 'Lambda and logs', 'DynamoDB', 'S3', 'SQS', 'all'], rows);
}

/**
 * The predecessor's design, by list price: a message and a row per target. From two calls of SQS (sent in tens), one write and one
 * read, to two writes.
 */
function predecessor({ sqs, dynamoDb }: ListPrices): string {
  const messages = 2.1 * sqs.perMillion;
  const [write, read] = [dynamoDb.writesPerMillion, dynamoDb.readsPerMillion];
  const least = messages + write + read;
  const most = messages + 2 * write + read;
  return `One message and one or two rows for every target, as the predecessor has it, a million times: 2.1 requests of SQS (sent in tens, received, deleted) ${messages.toFixed(2)}, one or two writes ${write.toFixed(3)} to ${(2 * write).toFixed(3)}, a read ${read.toFixed(3)}: ${least.toFixed(2)} to ${most.toFixed(2)} USD.`;
}

function restText({ stack, timer, large }: Measured, prices: ListPrices): string {
  const resting: readonly RestingCost[] = restingCosts(stack, timer, prices);
  const sum = resting.reduce((total, { usd }) => total + usd, 0);
  const rows = [...resting.map(({ what, usd }) => [what, usd.toFixed(2)]), ['**All**', `**${sum.toFixed(2)}**`]];
  const metrics = hourlyMetrics(large, timer, prices);
  const asked = totalOf(priceUsage(large.watching.usage, prices)) / large.watching.calls;
  const beside = [
    ['a client that asks for the status once a second, an hour', (asked * 3600).toFixed(4)],
    [`${metrics.count} metrics that are told while there are requests, an hour of them`, metrics.usd.toFixed(4)],
    ['rows and results of a million targets, kept for 30 days', keepingCost(large, prices).toFixed(4)],
  ];
  return `${markdownTable(['At rest, 30 days', 'USD'], rows)}\n${markdownTable(['Beside it', 'USD'], beside)}`;
}

export const cost: Bench = {
  name: 'cost',
  title: 'What the control plane costs',
  async run(context) {
    const prices = listPrices();
    const measured = await measure(context);
    const { small, large } = measured;
    const kinds = kindsTable(measured, prices);
    const verdict = kinds.total <= GOAL ? 'reached' : 'MISSED';
    if (kinds.total > GOAL && !context.quick) process.exitCode = 1;
    const of = (run: MeasuredRun) =>
      `${run.targets.toLocaleString('en-US')} targets in ${run.tasks} tasks (${Math.round(run.rate).toLocaleString('en-US')}/s)`;
    return `Requests of ${of(small)} and ${of(large)}. ${dollars(kinds.total)} USD for a million targets, the goal is ${GOAL}: ${verdict}. All that the larger request took is scaled, what a request takes but once as well.

${kinds.text}
${callersTable(measured, prices)}
${predecessor(prices)}

${restText(measured, prices)}`;
  },
};
