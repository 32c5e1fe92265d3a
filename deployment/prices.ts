import type { KeepWarmPrices } from './keep-warm-cost.ts';
import prices from './prices.json' with { type: 'json' };

export type ListPrices = typeof prices;

/** List prices that come with the program, USD. */
export function listPrices(): ListPrices & KeepWarmPrices {
  return prices;
}
