import { expect, test } from 'vitest';
import type { InputFault } from '../../../core/errors.ts';
import { parseRouteListText } from '../../../core/keep-warm/route-list.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { describeCost } from '../../../lib/keep-warm/keep-warm-parameters.ts';

function routesOf(list: readonly object[]) {
  const faults: InputFault[] = [];
  const routes = parseRouteListText(JSON.stringify(list), { name: 'keepWarm', catalogue: popCatalogue() }, faults);
  expect(faults).toEqual([]);
  return routes;
}

const DOMAIN = 'd111111abcdef8.cloudfront.net';

test('the cost of a list has a line for each POP, with its sum', () => {
  const routes = routesOf([{ host: DOMAIN, path: '/a', pops: ['IAD89-P1', 'ZZZ9-C1'], per_minute: 60 }]);
  const lines = describeCost(routes).split('\n');
  expect(lines[0]).toBe('2 POPs x 60 requests x 1,440 runs = 172,800 requests a day:');
  expect(lines[1]).toMatch(/^ {2}IAD89-P1 \(north-america\) \$2\.81 for requests \+ \$\d\.\d\d for metrics and its alarm$/);
  expect(lines[2]).toMatch(/^ {2}ZZZ9-C1 \(unknown, taken for the dearest\) \$/);
  expect(lines[3]).toMatch(/^Function and dashboard cost \$\d+\.\d\d a month besides/);
  expect(lines[4]).toMatch(/^Together \$\d+\.\d\d a month\.$/);
  expect(lines).toHaveLength(5);
});

test('a list beyond the default budget is reported with the option to deploy it with', () => {
  const pops = Array.from({ length: 12 }, (_, n) => `SIN${n}-P1`);
  const within = routesOf([{ host: DOMAIN, path: '/a', pops: pops.slice(1), per_minute: 60 }]);
  expect(describeCost(within)).not.toContain('maxRequestsPerDay');
  const beyond = routesOf([{ host: DOMAIN, path: '/a', pops, per_minute: 60 }]);
  expect(describeCost(beyond)).toContain('\nDeploy with --parameters maxRequestsPerDay=1036800: unless it is set, 1000000 is the limit.');
});
