import { expect, test } from 'vitest';
import { describeLoad } from '../../core/keep-warm/budget.ts';
import { listPrices, monthlyCost } from '../../deployment/monthly-cost.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { readPage } from './pages.ts';

const PAGE = readPage('docs/keep-warm.md');
const catalogue = popCatalogue();
const RUNS_PER_DAY = 1440;

const dollars = (amount: number | undefined) => `$${amount?.toFixed(2)}`;

function costOf(pop: string, requestsPerPop: number) {
  const { pops, fixed } = monthlyCost({ routes: [{ pops: [pop], requestsPerPop }], runsPerDay: RUNS_PER_DAY }, listPrices(), catalogue);
  return { requests: dollars(pops[0]?.cloudFront), monitoring: dollars(pops[0]?.monitoring), fixed: dollars(fixed) };
}

test('docs/keep-warm.md gives the monthly cost of a POP in every price region, and of what is shared', () => {
  const regions = Object.keys(listPrices().cloudFront.httpsPer10k);
  expect(regions.length).toBeGreaterThan(5);
  for (const region of regions) {
    const pop = catalogue.names.find((name) => catalogue.describe(name).priceRegion === region) ?? '';
    expect(PAGE).toContain(`| ${region} | ${costOf(pop, 8).requests} | ${costOf(pop, 60).requests} |\n`);
  }
  const { monitoring, fixed } = costOf('IAD89-P1', 60);
  expect(PAGE).toContain(`| each of them, for metrics and its alarm | ${monitoring} | ${monitoring} |\n`);
  expect(PAGE).toContain(`| function, schedule and dashboard, once | ${fixed} | ${fixed} |\n`);
});

test("the arithmetic of the budget in docs/keep-warm.md is the budget's own", () => {
  const sum = (pops: number) =>
    describeLoad({ routes: [{ pops: Array.from({ length: pops }, String), requestsPerPop: 60 }], runsPerDay: RUNS_PER_DAY });
  expect(sum(11)).toContain('= 950,400 requests');
  expect(sum(12)).toContain('= 1,036,800 requests');
  expect(PAGE).toContain('11 x 60 x 1,440 = 950,400 requests');
  expect(PAGE).toContain('1,036,800');
});
