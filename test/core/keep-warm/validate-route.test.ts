import { describe, expect, test } from 'vitest';
import type { InputFault } from '../../../core/errors.ts';
import { budgetFault, dailyBudgetFaults, describeLoad, requestsPerDay } from '../../../core/keep-warm/budget.ts';
import { listPrices, monthlyCost } from '../../../deployment/monthly-cost.ts';
import { parseSchedule } from '../../../deployment/schedule.ts';
import { type RouteFields, unknownPops, validateRoute } from '../../../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { HOST } from '../../../testing/keep-warm-fixture.ts';

const NAMES = {
  domain: '--domain',
  host: '--host',
  path: '--path',
  pops: '--pops',
  requestsPerPop: '--per-minute',
  method: '--method',
  headers: '--header',
};
const GOOD: RouteFields = {
  domain: HOST,
  host: 'api.example.com',
  path: '/time?zone=utc',
  pops: ['sin2-p1', ' FRA56-P4 ', 'SIN2-P1'],
  requestsPerPop: '60',
  method: 'get',
  headers: ['Authorization: Bearer x'],
};

function read(fields: Partial<RouteFields>) {
  const faults: InputFault[] = [];
  const input = validateRoute({ ...GOOD, ...fields }, NAMES, popCatalogue(), faults);
  return { input, faults };
}

describe('what is asked for', () => {
  test('the settings become a route: POPs in upper case and once each, the host in the URL, headers apart', () => {
    const { input, faults } = read({});
    expect(faults).toEqual([]);
    expect(input).toEqual({
      domain: HOST,
      host: 'api.example.com',
      route: {
        domain: HOST,
        url: 'https://api.example.com/time?zone=utc',
        pops: ['SIN2-P1', 'FRA56-P4'],
        requestsPerPop: 60,
        method: 'GET',
        headers: [['Authorization', 'Bearer x']],
      },
    });
  });

  test('a route takes its domain as its host, and its host as its domain, where one is left out', () => {
    expect(read({ host: null }).input.route.url).toBe(`https://${HOST}/time?zone=utc`);
    expect(read({ domain: '' })).toMatchObject({ input: { domain: null, host: 'api.example.com' }, faults: [] });
  });

  test.each([
    ['--pops', { pops: ['Singapore'] }, 'is a place; name POPs of it, such as SIN2-P1, SIN2-P2'],
    ['--pops', { pops: ['SIN2-'] }, 'is not the name of a POP'],
    ['--pops', { pops: [' '] }, 'names no POP'],
    ['--path', { path: 'api' }, 'does not start with a slash'],
    ['--path', { path: '' }, 'is empty'],
    ['--path', { path: '/a b' }, 'holds a blank or a control character'],
    ['--path', { path: '/a\r\nx: y' }, 'holds a blank or a control character'],
    ['--path', { path: '/a#b' }, 'holds a fragment'],
    ['--path', { path: '/\\evil' }, 'holds a backslash'],
    ['--path', { path: `/${'a'.repeat(9000)}` }, 'CloudFront takes at most 8192'],
    ['--host', { host: 'https://api.example.com' }, 'is not a bare host name'],
    ['--host', { host: 'api' }, 'is not the name of a distribution'],
    ['--host', { domain: null, host: null }, 'is missing'],
    ['--host', { host: 'd999.cloudfront.net' }, 'is another distribution than'],
    ['--domain', { domain: 'a b' }, 'is not a bare host name'],
    ['--per-minute', { requestsPerPop: 0 }, 'holds nothing open; write a whole number from 1 to 600'],
    ['--per-minute', { requestsPerPop: '0' }, 'holds nothing open'],
    ['--per-minute', { requestsPerPop: '1.5' }, 'write a whole number'],
    ['--per-minute', { requestsPerPop: 601 }, 'write a whole number from 1 to 600'],
    ['--method', { method: 'POST' }, 'cannot be sent; write GET or HEAD'],
    ['--header', { headers: ['X-A: b\r\nX-C: d'] }, 'holds a line end or a NUL; write one header, on one line'],
    ['--header', { headers: ['Host: other'] }, 'is taken from each URL'],
    ['--header', { headers: ['no colon'] }, 'has no colon'],
  ] satisfies [string, Partial<RouteFields>, string][])('a route is refused by its field %s: %j', (field, fields, message) => {
    const { faults } = read(fields);
    expect(faults.map((fault) => fault.field)).toEqual([field]);
    expect(faults[0]?.message).toContain(message);
  });

  test('a route is refused with all of its faults at once', () => {
    const { faults } = read({ host: 'x y', path: 'p', pops: ['?', 'Paris'], requestsPerPop: 0, method: 'PUT', headers: ['a'] });
    expect(faults.map(({ field }) => field)).toEqual(['--host', '--path', '--pops', '--pops', '--per-minute', '--method', '--header']);
  });

  test('a route may name POPs that are in no list, and they are reported', () => {
    expect(read({ pops: ['ZZZ9-C1'] }).faults).toEqual([]);
    expect(unknownPops(['ZZZ9-C1', 'SIN99-P9', 'SIN2-P1'], popCatalogue())).toEqual(['ZZZ9-C1']);
  });
});

describe('a schedule', () => {
  test.each([
    ['rate(1 minute)', 1440],
    ['rate(5 minutes)', 288],
    ['rate(7 minutes)', 1440 / 7],
    ['rate(1 hour)', 24],
    ['rate(1 day)', 1],
    ['cron(* * * * ? *)', 1440],
    ['cron(0/5 8-17 ? * MON-FRI *)', 120],
    ['cron(0,30 6 1 * ? *)', 2],
  ])('the schedule %s runs %d times a day', (text, runsPerDay) => {
    expect(parseSchedule(text)).toEqual({ runsPerDay });
  });

  test.each([
    ['rate(0 minutes)', 'never runs with a rate of 0'],
    ['rate(0.5 minutes)', 'is no rate from one minute to one day'],
    ['rate(2 days)', 'is no rate from one minute to one day'],
    ['rate(10 seconds)', 'is no rate from one minute to one day'],
    ['every minute', 'is no schedule'],
    ['cron(* * * *)', 'has 4 fields instead of 6'],
    ['cron(60 * * * ? *)', 'has minutes beyond 0 to 59'],
    ['cron(0/0 * * * ? *)', 'a step of 0'],
    ['cron(* 9-8 * * ? *)', 'has hours beyond 0 to 23'],
    ['cron(* * * * * *)', 'needs a ? as day of month or as day of week'],
    ['cron(* * ? * ? *)', 'needs a ? as day of month or as day of week'],
    ['cron(a * * * ? *)', 'has minutes that cannot be read'],
  ])('the schedule %s is refused', (text, message) => {
    expect(parseSchedule(text)).toEqual({ fault: expect.stringContaining(message) });
  });
});

describe('the budget', () => {
  const load = { routes: [{ pops: ['SIN2-P1', 'FRA56-P4'], requestsPerPop: 60 }], runsPerDay: 1440 };

  test('the budget counts POPs x requests x runs, over all routes together', () => {
    expect(requestsPerDay(load)).toBe(172_800);
    expect(requestsPerDay({ ...load, routes: [...load.routes, { pops: ['GRU3-P1'], requestsPerPop: 1 }] })).toBe(174_240);
    expect(describeLoad(load)).toBe('2 POPs x 60 requests x 1,440 runs = 172,800 requests a day');
    const several = [...load.routes, { pops: ['GRU3-P1'], requestsPerPop: 1 }];
    expect(describeLoad(load, 'minute')).toBe('2 POPs x 60 requests a minute x 1,440 minutes = 172,800 requests a day');
    expect(describeLoad({ ...load, routes: several })).toBe(
      '(2 POPs x 60 requests + 1 POP x 1 request) x 1,440 runs = 174,240 requests a day',
    );
  });

  test('one request too many exceeds the budget, and the fault shows the calculation', () => {
    expect(budgetFault(load, 172_800, 'maxRequestsPerDay')).toBeNull();
    expect(budgetFault(load, 172_799, 'maxRequestsPerDay')).toMatchObject({
      field: 'maxRequestsPerDay',
      value: '172799',
      message: expect.stringContaining('2 POPs x 60 requests x 1,440 runs = 172,800 requests a day; name fewer POPs'),
    });
  });

  test('the budget of a running process is given in minutes and not in runs', () => {
    expect(dailyBudgetFaults(load.routes, 172_800, '--max-per-day')).toEqual([]);
    const [fault] = dailyBudgetFaults(load.routes, 172_799, '--max-per-day');
    expect(fault?.message).toBe(
      'would be passed: 2 POPs x 60 requests a minute x 1,440 minutes = 172,800 requests a day; name fewer POPs, send fewer requests, or raise --max-per-day',
    );
  });

  test('the cost follows the list prices, and a POP of an unknown region has the highest', () => {
    const routes = [{ pops: ['IAD89-P1', 'GRU3-P1', 'ZZZ9-C1'], requestsPerPop: 60 }];
    const cost = monthlyCost({ routes, runsPerDay: 1440 }, listPrices(), popCatalogue());
    expect(cost.requests).toBe(3 * 2_592_000);
    // 259.2 times ten thousand requests, and 2.592 GB.
    expect(cost.pops[0]?.cloudFront).toBeCloseTo(259.2 * 0.01 + 2.592 * 0.085, 6);
    expect(cost.pops[1]?.cloudFront).toBeCloseTo(259.2 * 0.022 + 2.592 * 0.11, 6);
    expect(cost.pops[2]?.cloudFront).toBeGreaterThan(cost.pops[1]?.cloudFront ?? Number.POSITIVE_INFINITY);
    // 43,200 runs of 56 s in a quarter of a GiB, and their calls; three alarms and a dashboard.
    expect(cost.fixed).toBeCloseTo(43_200 * 56 * 0.25 * 0.0000133334 + 0.0432 * 1.825 + 0.3 + 3, 6);
    // Six metrics, an alarm, and 1,500 bytes of log a minute.
    expect(cost.pops[0]?.monitoring).toBeCloseTo(6 * 0.3 + 0.1 + 0.0648 * 0.5, 6);
    expect(cost.total).toBeCloseTo(cost.fixed + cost.pops.reduce((sum, pop) => sum + pop.cloudFront + pop.monitoring, 0), 9);
  });
});
