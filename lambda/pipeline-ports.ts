import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AsgFleet } from '../adapters/aws/asg-fleet.ts';
import { createDynamoRequestStore } from '../adapters/aws/dynamo-request-store.ts';
import { systemClock } from '../core/clock.ts';
import type { Events, Timers } from '../core/ports/ports.ts';
import { lazyPort } from '../core/ports/lazy-port.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { Queue } from '../core/ports/queue.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import type { ViewerHeaders } from '../core/ports/viewer-headers.ts';
import type { FunctionConfig } from './function-config.ts';

// The ports that several functions share. Every function needs the tables at once; what else it needs is loaded at its first use.

export function openRequestStore({ tables }: FunctionConfig<'tables'>): RequestStore {
  return createDynamoRequestStore({ client: new DynamoDBClient(), tables, clock: systemClock });
}

export function createListStore({ bucket }: FunctionConfig<'bucket'>): ListStore {
  const open = async () => {
    const { createS3ListStore, S3Client } = await import('../adapters/aws/s3-list-store.ts');
    return createS3ListStore(new S3Client(), { bucket });
  };
  return lazyPort<ListStore>(open, 'read', 'readResult');
}

export function createViewerHeaders({ bucket, tables }: FunctionConfig<'bucket' | 'tables'>): ViewerHeaders {
  return lazyPort<ViewerHeaders>(async () => {
    const { createS3ViewerHeaders, S3Client } = await import('../adapters/aws/s3-viewer-headers.ts');
    return createS3ViewerHeaders({ client: new S3Client(), bucket }, { client: new DynamoDBClient(), clock: systemClock, tables });
  });
}

/** Messages of one `fairKey` take turns with those of others. Dead letters reach a function by themselves. */
export function createQueue<T>(url: string, fairKey?: (message: T) => string): Queue<T> {
  return lazyPort<Queue<T>>(async () => {
    const { createSqsQueue, SQSClient } = await import('../adapters/aws/sqs-queue.ts');
    return createSqsQueue<T>(new SQSClient(), { url, ...(fairKey === undefined ? {} : { fairKey }) });
  });
}

export function createResolver({ edge }: FunctionConfig<'edge'>): PopResolver {
  return lazyPort<PopResolver>(async () => (await import('./edge-resolver.ts')).createEdgeResolver(edge));
}

/** The ports by which a function ends requests, beside the tables. */
export function createEndingPorts({ group, timers, eventBus }: FunctionConfig<'group' | 'timers' | 'eventBus'>): {
  readonly fleet: AsgFleet;
  readonly timers: Timers;
  readonly events: Events;
} {
  return {
    fleet: createFleet(group),
    timers: lazyPort<Timers>(async () => {
      const { createSchedulerTimers, SchedulerClient } = await import('../adapters/aws/scheduler-timers.ts');
      return createSchedulerTimers(new SchedulerClient(), timers, systemClock);
    }),
    events: lazyPort<Events>(async () => {
      const { createEventBus, EventBridgeClient } = await import('../adapters/aws/event-bus.ts');
      return createEventBus(new EventBridgeClient(), { busName: eventBus }, systemClock);
    }),
  };
}

/** What the fleet is by its configuration alone is known before its client is loaded. */
function createFleet({ groupName, maximum, onDemandGroupName, onDemandFallback }: FunctionConfig<'group'>['group']): AsgFleet {
  const onDemand = onDemandGroupName === null ? {} : { onDemand: { groupName: onDemandGroupName, afterMinutes: onDemandFallback } };
  const fleet = lazyPort<Omit<AsgFleet, 'maximum' | 'fallbackMinutes'>>(async () => {
    const { AutoScalingClient, createAsgFleet } = await import('../adapters/aws/asg-fleet.ts');
    return createAsgFleet(new AutoScalingClient(), { groupName, maximum, ...onDemand });
  });
  return Object.assign(fleet, { maximum, fallbackMinutes: onDemandGroupName === null ? 0 : onDemandFallback });
}
