import { count } from '../../../core/work/counters.ts';
import type { RequestRow } from '../../../core/request/request.ts';
import type { Holds } from './invariants.ts';
import type { SimPop, SimRequest, SimUrl } from './scenario.ts';
import type { World } from './world.ts';

/** A line of a report. */
export type ReportRow = Readonly<Record<'url' | 'pop' | 'variant' | 'outcome' | 'reason' | 'bytes' | 'notes', string>>;

/** Faults that change nothing about how tasks are worked, if only they come alone. */
const HARMLESS_TO_WORK: readonly string[] = ['record_again', 'records_shuffled', 'record_held', 'timer_twice', 'messages_shuffled'];

/** Whether every task was worked exactly once and no download was aborted, so that nothing but the edge decides what came of it. */
function isUndisturbed({ faults, scenario }: World): boolean {
  return scenario.workers === 1 && [...faults.seen.keys()].every((kind) => HARMLESS_TO_WORK.includes(kind));
}

/** Other requests warm the same URLs, so that who came first decides. */
function sharesUrls({ scenario }: World): boolean {
  return new Set(scenario.requests.map(({ urls }) => urls)).size < scenario.requests.length;
}

/** What a report calls verified is in the caches. */
export function checkVerifiedRows(world: World, request: SimRequest, rows: readonly ReportRow[], holds: Holds): void {
  const isStrict = isUndisturbed(world) && !sharesUrls(world);
  for (const { url, pop, variant, notes } of rows) {
    if (!notes.split(';').includes('verified')) continue;
    const known = popOf(world, pop);
    const reachable = known.addresses.filter(({ ip }) => !known.deadIps.has(ip));
    const holding = reachable.filter(({ ip }) => world.edge.holds(pop, ip, url, variant));
    holds(holding.length > 0, `${url} is verified, and no cache of ${pop} has it`);
    // A try that was cut off may leave an object in some caches only, which the next try then takes for one that is everywhere.
    if (isStrict) holds(holding.length === reachable.length, `${url} is verified, and missing in one of the separate caches of ${pop}`);
    holds(kindOf(request, url) !== 'never_stored', `${url} is verified, and never stored`);
  }
}

/** Where nothing disturbed the work, every byte that the edge sent is in the figures. */
export function checkUndisturbedBytes(world: World, row: RequestRow, holds: Holds): void {
  if (!isUndisturbed(world) || row.status !== 'FINISHED') return;
  const read = count(row.counters, 'edge_bytes');
  holds(
    read === world.edge.bytesSent(row.id),
    `edge_bytes is ${read}, the edge sent ${world.edge.bytesSent(row.id)}, and nothing was aborted`,
  );
}

/** As long as the edge itself does as it should, it alone decides every result, but for what the run's disturbances explain. */
export function checkResults(world: World, request: SimRequest, rows: readonly ReportRow[], holds: Holds): void {
  const { seen } = world.faults;
  if ([...seen.keys()].some((kind) => kind.startsWith('edge_'))) return;
  const isSharing = sharesUrls(world);
  const disturbed = isUndisturbed(world) ? [] : ['exhausted', ...(seen.has('pop_unresolved') ? ['pop_unresolvable'] : [])];
  for (const { url, pop, outcome, reason } of rows) {
    const known = request.urls.find((each) => each.url === url);
    if (known === undefined || reason === 'stopped') continue;
    const expected = [...expectedResults(popOf(world, pop), known, request), ...disturbed];
    // Whoever came second, another request or another try, may find what the first brought in.
    if ((isSharing || disturbed.length > 0) && expected.includes('warmed')) expected.push('already_warm');
    const actual = reason === '' ? outcome : reason;
    holds(expected.includes(actual), `${url} (${known.kind}) at ${pop} is ${actual}, expected ${expected.join(' or ')}`);
  }
}

/** Outcomes or reasons that the edge leaves to a target. */
function expectedResults(pop: SimPop, { kind }: SimUrl, { spec }: SimRequest): readonly string[] {
  const { addresses, deadIps } = pop;
  // Sizing goes through the first POP that resolves, maybe one with dead addresses: then the size stays unknown.
  const refused = kind === 'too_large' ? ['too_large'] : [];
  if (pop.state !== 'resolved') return [pop.state, ...refused];
  if (deadIps.size === addresses.length) return ['connection', 'timeout', ...refused];
  if (kind === 'not_found') return spec.acceptStatus === null ? ['status_404'] : ['warmed'];
  if (kind === 'error_page') return spec.acceptStatus === null ? ['error_page'] : ['warmed'];
  if (kind === 'challenged') return ['challenged'];
  if (kind === 'never_stored') return ['not_cached'];
  if (kind === 'lagging' && (deadIps.size > 0 || pop.separate)) return ['warmed', 'not_cached'];
  return [kind === 'warm' ? 'already_warm' : 'warmed', ...refused];
}

function popOf({ scenario }: World, name: string): SimPop {
  const pop = scenario.pops.find((each) => each.pop === name);
  if (pop === undefined) throw new Error(`the report names ${name}, which is no POP of this run`);
  return pop;
}

const kindOf = (request: SimRequest, url: string) => request.urls.find((each) => each.url === url)?.kind;
