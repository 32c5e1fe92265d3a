import { expect, test } from 'vitest';
import { listPrices } from '../../deployment/monthly-cost.ts';
import { readPage } from './pages.ts';

const [URLS, POPS, GB_OF_EACH] = [1000, 20, 0.001];
const TARGETS = URLS * POPS;

const { outPerGb, httpsPer10k } = listPrices().cloudFront;
const range = (prices: Readonly<Record<string, number>>, times: number): readonly [number, number] => {
  const all = Object.values(prices);
  return [Math.min(...all) * times, Math.max(...all) * times];
};

test('the example of costs is what list prices make of its traffic and requests', () => {
  const traffic = range(outPerGb, TARGETS * GB_OF_EACH);
  // A whole GET and a check for each target, and a HEAD for each URL.
  const requests = range(httpsPer10k, (2 * TARGETS + URLS) / 10_000);
  const inCents = ([least, most]: readonly [number, number]) => `${least.toFixed(2)} to ${most.toFixed(2)}`;
  const page = readPage('docs/costs.md');
  expect(page).toContain(`20 GB at $${range(outPerGb, 1000).join(' to $')} per 1,000 GB | ${inCents(traffic)} |`);
  expect(page).toContain(`per million | ${inCents(requests)} |`);
  const [least, most] = [traffic[0] + requests[0], traffic[1] + requests[1]].map((sum) => (Math.round(sum * 20) / 20).toFixed(2));
  expect(readPage('README.md')).toContain(`about $${least} to $${most}`);
});
