import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { createCustomResource } from '../custom-resource.ts';
import { isRequestMessage } from '../event-records.ts';
import { type FleetTimerDeps, keepFleet } from './fleet-timer.ts';
import type { TimeLeft } from '../time-budget.ts';

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
