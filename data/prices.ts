import type { KeepWarmPrices } from '../core/keep-warm/cost.ts';
import prices from './prices.json' with { type: 'json' };

/** List prices that come with the program, USD. */
export function listPrices(): KeepWarmPrices {
  return prices;
}
