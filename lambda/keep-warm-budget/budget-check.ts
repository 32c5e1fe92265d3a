import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { readWholeNumber } from '../../core/whole-number.ts';
import { budgetFault, requestsPerDay } from '../../core/keep-warm/budget.ts';
import { listPrices, monthlyCost } from '../../deployment/monthly-cost.ts';
import type { KeepWarmRoute } from '../../core/keep-warm/route.ts';
import { parseSchedule } from '../../deployment/schedule.ts';
import type { CustomResourceProperties } from '../custom-resource.ts';
import { settingsFrom } from '../../deployment/keep-warm-settings.ts';
import { type KeepWarmSources, readKeepWarmRoutes } from '../keep-warm-routes.ts';

function checkBudget(routes: readonly KeepWarmRoute[], runsPerDay: number, raw: string, faults: InputFault[]): void {
  const limit = readWholeNumber(raw, 0, Number.MAX_SAFE_INTEGER);
  if (limit === null) {
    faults.push(inputFault('maxRequestsPerDay', raw, 'write a whole number'));
    return;
  }
  const fault = budgetFault({ routes, runsPerDay }, limit, 'maxRequestsPerDay');
  if (fault !== null) faults.push(fault);
}

function checkAlarms(routes: readonly KeepWarmRoute[], maxPops: string, faults: InputFault[]): void {
  const most = maxPops === '' ? Number.POSITIVE_INFINITY : Number(maxPops);
  const [route] = routes;
  if (route === undefined || route.pops.length <= most) return;
  const remedy = `name at most ${maxPops}, each of which has an alarm, or give a list of routes in the context`;
  faults.push(inputFault('popList', route.pops.join(','), `names ${route.pops.length} POPs; ${remedy}`));
}

/** Alarms are named by what the parameters say, and figures by what is sent: where the two differ, no alarm would ever be raised. */
function checkNames(route: KeepWarmRoute | undefined, text: (name: string) => string, faults: InputFault[]): void {
  if (route === undefined) return;
  const { hostname } = new URL(route.url);
  if (text('customDomain') !== hostname) faults.push(inputFault('customDomain', text('customDomain'), `write ${hostname}`));
  const pops = route.pops.join(',');
  if (text('popList') !== pops) faults.push(inputFault('popList', text('popList'), `write ${pops}, each POP once and in capitals`));
}

/**
 * Looks at the real parameters before anything is scheduled. Gives requests per day and cost; throws InvalidInput with all that is
 * wrong, a budget that would be passed included, and PrewarmError for a secret that is not there.
 */
export function createBudgetCheck(sources: KeepWarmSources) {
  return async (properties: CustomResourceProperties): Promise<Readonly<Record<string, string>>> => {
    const text = (name: string) => (typeof properties[name] === 'string' ? properties[name] : '');
    const faults: InputFault[] = [];
    const routes = await readKeepWarmRoutes(settingsFrom(text), sources, faults);
    const schedule = parseSchedule(text('rate'));
    if ('fault' in schedule) faults.push(inputFault('rate', text('rate'), schedule.fault));
    checkAlarms(routes, text('maxPops'), faults);
    if (faults.length === 0 && text('routesKey') === '') checkNames(routes[0], text, faults);
    // With a POP or a rate that is wrong, the sum would be too.
    if (faults.length === 0 && 'runsPerDay' in schedule) checkBudget(routes, schedule.runsPerDay, text('maxRequestsPerDay'), faults);
    if (faults.length > 0 || 'fault' in schedule) throw new InvalidInput(faults);
    const load = { routes, runsPerDay: schedule.runsPerDay };
    const { total } = monthlyCost(load, listPrices(), sources.catalogue);
    return { RequestsPerDay: String(requestsPerDay(load)), MonthlyCost: total.toFixed(2) };
  };
}
