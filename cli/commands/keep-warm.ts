import { systemClock } from '../../core/clock.ts';
import { describeLoad, MINUTES_PER_DAY } from '../../core/keep-warm/budget.ts';
import { listPrices, monthlyCost } from '../../deployment/monthly-cost.ts';
import { startKeepWarmLoop } from '../../core/keep-warm/keep-warm-loop.ts';
import type { KeepWarmRoute } from '../../core/keep-warm/route.ts';
import { settleRoute, unknownPops } from '../../core/keep-warm/validate-route.ts';
import { createTally, isDead, viewLane } from '../../core/keep-warm/tally.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { createResolver } from '../../embedded/edge-access.ts';
import type { RawOptions } from '../options/flags.ts';
import { parseKeepWarmOptions } from '../options/keep-warm-options.ts';
import { createKeepWarmOutput, type KeepWarmOutput } from '../print/keep-warm-output.ts';
import { openKeepWarmSending } from '../../embedded/serve-keep-warm.ts';
import { errorCount, unsentCount } from '../print/keep-warm-table.ts';
import { onInterrupt } from '../signals.ts';
import { EXIT } from '../exit-code.ts';

const SUCCESS = 0;
const FAILURES = 1;
const UPDATE_MS = 1000;

function tellBefore(route: KeepWarmRoute, output: KeepWarmOutput): void {
  const load = { routes: [route], runsPerDay: MINUTES_PER_DAY };
  const { pops } = monthlyCost(load, listPrices(), popCatalogue());
  const dollars = pops.reduce((sum, pop) => sum + pop.cloudFront, 0);
  output.note(`prewarm: ${describeLoad(load, 'minute')}; CloudFront's list price for a month of it is about $${dollars.toFixed(2)}`);
  for (const pop of unknownPops(route.pops, popCatalogue()))
    output.note(`prewarm: ${pop} is no place that is known here; it is asked all the same`);
}

/**
 * `prewarm keep-warm`: sends a few requests a minute through each POP until it is interrupted, or for some minutes. Returns the
 * exit code: 0 where every request was answered well. Throws InvalidInput when nothing was sent.
 */
export async function keepWarm(raw: RawOptions): Promise<number> {
  const options = parseKeepWarmOptions(raw);
  const { edge, input, minutes, json } = options;
  const resolver = await createResolver(edge);
  const route = await settleRoute(input, edge.edgeMap === null ? resolver : null, '--domain');
  const tally = createTally([route]);
  const output = createKeepWarmOutput(tally.lanes, { json, now: () => performance.now() });
  tellBefore(route, output);
  const sending = openKeepWarmSending(edge, resolver);
  const loop = startKeepWarmLoop({ sender: sending.sender, routes: [route], clock: systemClock, record: tally.record, runs: minutes });
  let isInterrupted = false;
  const stopListening = onInterrupt(() => {
    isInterrupted = true;
    loop.stop();
  });
  const updating = setInterval(() => output.update(), UPDATE_MS);
  try {
    await loop.ended;
  } finally {
    clearInterval(updating);
    await sending.close();
    stopListening();
  }
  output.end();
  if (isInterrupted) return EXIT.interrupted;
  const isFlawed = tally.lanes.some((lane) => isDead(lane) || errorCount(viewLane(lane)) > 0 || unsentCount(viewLane(lane)) > 0);
  return isFlawed ? FAILURES : SUCCESS;
}
