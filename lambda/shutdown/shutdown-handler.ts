import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { createCustomResource } from '../custom-resource.ts';
import { isRequestMessage } from '../event-records.ts';
import type { Instruments, TimeLeft } from '../instrument.ts';
import type { AsgFleet } from '../../adapters/aws/asg-fleet.ts';
import type { Clock } from '../../core/clock.ts';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { Leased, Queue } from '../../core/ports/queue.ts';
import type { ListPosition, RequestStore } from '../../core/ports/request-store.ts';
import { changedLately, operatorAgents } from '../../core/request/operator-claim.ts';
import { claimedSince } from '../../core/pipeline/reconcile-fleet.ts';
import { isActive } from '../../core/request/request.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

/** By a topic, by the bus, or by CloudWatch itself. */
function isAlarm(event: Fields): boolean {
  const [first] = Array.isArray(event['Records']) ? event['Records'] : [];
  return event['source'] === 'aws.cloudwatch' || (isFields(first) && first['EventSource'] === 'aws:sns');
}

/** Of CloudFormation, when the stack is made, changed or removed. */
const isOfStack = (event: Fields): event is CloudFormationCustomResourceEvent & Fields => typeof event['RequestType'] === 'string';

/**
 * Called by a request's schedule (`{"requestId"}`), by the fleet's timer (`{"kind": "fleet"}`) and by the backlog's alarm,
 * which changes nothing by itself: the capacity follows from the claims. And by CloudFormation, which deletes no group with an instance
 * that is protected because it is busy: before the stack goes, the group lets go of all. Throws InvalidInput for anything else.
 */
export function createShutdownHandler(deps: FleetTimerDeps) {
  const answerStack = createCustomResource(deps.log, { work: async () => ({}), remove: () => deps.instances.release() });
  return async (event: unknown, context: TimeLeft): Promise<void> => {
    if (isRequestMessage(event)) {
      await deps.pipeline.fireTimer(event.requestId);
      deps.log.info({ request_id: event.requestId }, 'the timer of a request fired');
    } else if (isFields(event) && event['kind'] === 'fleet') await keepFleet(deps, context);
    else if (isFields(event) && isOfStack(event)) await answerStack(event);
    else if (isFields(event) && isAlarm(event)) {
      const capacity = await deps.pipeline.reconcileFleet();
      deps.log.info({ capacity }, 'an alarm had the capacity looked at');
    } else throw new InvalidInput([inputFault('event', event, 'is neither of a timer nor of an alarm')]);
  };
}

interface FleetTimerDeps extends Instruments {
  readonly pipeline: Pick<Pipeline, 'fireTimer' | 'reconcileFleet'>;
  readonly store: Pick<RequestStore, 'listActive' | 'list' | 'get' | 'getOperatorClaim'>;
  readonly tasks: Pick<Queue<{ readonly requestId: string }>, 'receive' | 'delete' | 'extend'>;
  readonly instances: Pick<AsgFleet, 'maximum' | 'fallbackMinutes' | 'fallBack' | 'listInstances' | 'terminate' | 'release'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** A schedule fires up to a minute late; later than that, it is lost. */
const LOST_AFTER_MS = 2 * 60_000;
/** An agent without work ends its instance's protection long before. */
const LEFT_OVER_AFTER_MS = 15 * 60_000;
/** No request runs longer than a day, so that older ones say nothing about the last quarter of an hour. */
const LONGEST_REQUEST_MS = 24 * 60 * 60_000 + 2 * LEFT_OVER_AFTER_MS;
const PAGE = 100;
const RECEIVED_AT_ONCE = 10;
const RECEIVE_WAIT_MS = 1000;
/** Left over by draining for what comes after it. */
const DRAIN_UNTIL_MS = 20_000;

/**
 * What is put right every few minutes, whatever was lost before: requests past their time-out, the capacity, instances
 * that nobody needs, tasks of ended requests. A step that fails does not keep the others from being done; the first failure is thrown.
 */
async function keepFleet(deps: FleetTimerDeps, context: TimeLeft): Promise<void> {
  const failures: unknown[] = [];
  const attempt = async (step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      deps.log.error({ err: error }, 'a step of the fleet timer failed');
      failures.push(error);
    }
  };
  await attempt(() => endOverdue(deps, attempt));
  await attempt(async () => {
    await deps.pipeline.reconcileFleet();
  });
  await attempt(() => fallBack(deps));
  await attempt(() => terminateLeftOver(deps, attempt));
  await attempt(() => drainTasks(deps, context));
  if (failures.length > 0) throw failures[0];
}

type Attempt = (step: () => Promise<void>) => Promise<void>;

async function endOverdue({ pipeline, store, clock, metrics, log }: FleetTimerDeps, attempt: Attempt): Promise<void> {
  const late = clock.now() - LOST_AFTER_MS;
  const overdue = (await store.listActive()).filter(({ timeoutAt }) => timeoutAt !== null && timeoutAt < late);
  metrics.add('RequestsPastTimeout', overdue.length);
  for (const { id } of overdue) {
    log.error({ request_id: id }, 'the timer of a request was lost; it is ended now');
    await attempt(() => pipeline.fireTimer(id));
  }
}

/** What Spot has not delivered in time is asked for on demand. */
async function fallBack({ store, instances, clock, pipeline, log }: FleetTimerDeps): Promise<void> {
  const { fallbackMinutes } = instances;
  if (fallbackMinutes === 0) return;
  const overdue = await claimedSince({ store, fleet: instances, clock }, clock.now() - fallbackMinutes * 60_000);
  const asked = await instances.fallBack(overdue);
  if (asked === 0) return;
  log.info({ agents: asked, overdue }, 'agents that Spot did not deliver are asked for on demand');
  // Somebody may have changed the capacity in between.
  await pipeline.reconcileFleet();
}

async function terminateLeftOver(deps: FleetTimerDeps, attempt: Attempt): Promise<void> {
  const { store, instances, clock, metrics, log } = deps;
  const alive = await instances.listInstances();
  const claim = await store.getOperatorClaim();
  const now = clock.now();
  // Scaling in takes minutes: what the claim held until just now is on its way out, and nobody's fault.
  const isNeeded = changedLately(claim, LEFT_OVER_AFTER_MS, now) || (alive.length > 0 && (await workedLately(deps)));
  const spared = operatorAgents(claim, now);
  // Scale-in takes the others: what is left over is what it could not take.
  const leftOver = isNeeded
    ? []
    : alive.toSorted((a, b) => Number(b.isProtected) - Number(a.isProtected)).slice(0, Math.max(0, alive.length - spared));
  metrics.add('InstancesAfterLastRequest', leftOver.length);
  for (const { id } of leftOver) {
    log.error({ instance: id }, 'an instance that nobody needs is terminated');
    await attempt(() => instances.terminate(id));
  }
}

/** Whether a request is active, or has ended within the last 15 minutes. */
async function workedLately({ store, clock }: FleetTimerDeps): Promise<boolean> {
  if ((await store.listActive()).length > 0) return true;
  const now = clock.now();
  let after: ListPosition | undefined;
  for (;;) {
    const { requests, next } = await store.list(PAGE, after);
    for (const { endedAt, createdAt } of requests) {
      if (endedAt === null || endedAt > now - LEFT_OVER_AFTER_MS) return true;
      if (createdAt < now - LONGEST_REQUEST_MS) return false;
    }
    if (next === null) return false;
    after = next;
  }
}

/** One by one, never by a purge, which may swallow what is sent within the minute after it. Stops at the first task that is wanted. */
async function drainTasks({ store, tasks, log }: FleetTimerDeps, context: TimeLeft): Promise<void> {
  const ended = new Set<string>();
  let drained = 0;
  // A request that begins meanwhile has tasks of its own here: each look at one of them would use up one of its receives.
  while (context.getRemainingTimeInMillis() > DRAIN_UNTIL_MS && (await store.listActive()).length === 0) {
    const leased = await tasks.receive(RECEIVED_AT_ONCE, RECEIVE_WAIT_MS);
    if (leased.length === 0) break;
    if (await isAnyWanted(store, leased, ended)) {
      // Its agents are not to wait for what is held here.
      await Promise.all(leased.map(({ receipt }) => tasks.extend(receipt, 0)));
      break;
    }
    await Promise.all(leased.map(({ receipt }) => tasks.delete(receipt)));
    drained += leased.length;
  }
  if (drained > 0) log.info({ tasks: drained }, 'tasks of ended requests were taken off the queue');
}

/** Whether one of these tasks is of a request that is active; requests found ended are noted in `ended`. */
async function isAnyWanted(
  store: FleetTimerDeps['store'],
  leased: readonly Leased<{ readonly requestId: string }>[],
  ended: Set<string>,
): Promise<boolean> {
  for (const { message } of leased) {
    if (ended.has(message.requestId)) continue;
    const row = await store.get(message.requestId);
    if (row !== null && isActive(row.status)) return true;
    ended.add(message.requestId);
  }
  return false;
}
