import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { createEventBus } from '../../adapters/aws/event-bus.ts';
import { systemClock } from '../../core/clock.ts';
import type { Events } from '../../core/ports/events.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openEvents({ eventBus }: FunctionConfig<'eventBus'>): Events {
  return createEventBus(new EventBridgeClient(), { busName: eventBus }, systemClock);
}
