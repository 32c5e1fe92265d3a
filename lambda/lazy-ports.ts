import type { AsgFleet } from '../adapters/aws/asg-fleet.ts';
import type { S3Links } from '../adapters/aws/s3-links.ts';
import type { Downloader } from '../core/ports/downloader.ts';
import type { Events } from '../core/ports/events.ts';
import type { Invalidations } from '../core/ports/invalidations.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { Queue } from '../core/ports/queue.ts';
import type { Timers } from '../core/ports/timers.ts';
import type { ViewerHeaders } from '../core/ports/viewer-headers.ts';
import type { FunctionConfig } from './function-config.ts';

// Ports whose SDK client is loaded at their first use: loading them all would be most of a cold start, and most calls need one or two.

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | null = null;
  return () => {
    loading ??= load();
    return loading;
  };
}

export function lazyListStore(config: FunctionConfig<'bucket'>): ListStore {
  const load = once(async () => (await import('./ports/list-store.ts')).openListStore(config));
  return {
    put: async (key, chunks) => (await load()).put(key, chunks),
    async *read(key, range) {
      yield* (await load()).read(key, range);
    },
    putResult: async (key, body, metadata) => (await load()).putResult(key, body, metadata),
    resultMetadata: async (key) => (await load()).resultMetadata(key),
    async *readResult(key) {
      yield* (await load()).readResult(key);
    },
  };
}

export function lazyViewerHeaders(config: FunctionConfig<'bucket' | 'tables'>): ViewerHeaders {
  const load = once(async () => (await import('./ports/viewer-headers.ts')).openViewerHeaders(config));
  return {
    keep: async (requestId, headers) => (await load()).keep(requestId, headers),
    nameOf: async (requestId) => (await load()).nameOf(requestId),
    read: async (name) => (await load()).read(name),
    drop: async (requestId) => (await load()).drop(requestId),
  };
}

/** `fairKey`: messages of one key take turns with those of others. */
export function lazyQueue<T>(url: string, fairKey?: (message: T) => string): Queue<T> {
  const load = once(async () => (await import('./ports/queue.ts')).openQueue<T>(url, fairKey));
  return {
    send: async (messages, delayMs) => (await load()).send(messages, delayMs),
    receive: async (max, waitMs, signal) => (await load()).receive(max, waitMs, signal),
    extend: async (receipt, leaseMs) => (await load()).extend(receipt, leaseMs),
    delete: async (receipt) => (await load()).delete(receipt),
    receiveDead: async (max) => (await load()).receiveDead(max),
    deleteDead: async (receipt) => (await load()).deleteDead(receipt),
    counts: async () => (await load()).counts(),
  };
}

/** What the fleet is by its configuration alone is known before its client is loaded. */
function lazyFleet(config: FunctionConfig<'group'>): AsgFleet {
  const load = once(async () => (await import('./ports/fleet.ts')).openFleet(config));
  return {
    maximum: config.group.maximum,
    fallbackMinutes: config.group.onDemandGroupName === null ? 0 : config.group.onDemandFallback,
    getCapacity: async () => (await load()).getCapacity(),
    setCapacity: async (agents) => (await load()).setCapacity(agents),
    listInstances: async () => (await load()).listInstances(),
    describe: async () => (await load()).describe(),
    inspect: async () => (await load()).inspect(),
    fallBack: async (overdue) => (await load()).fallBack(overdue),
    terminate: async (instanceId) => (await load()).terminate(instanceId),
    release: async () => (await load()).release(),
  };
}

function lazyTimers(config: FunctionConfig<'timers'>): Timers {
  const load = once(async () => (await import('./ports/timers.ts')).openTimers(config));
  return {
    set: async (requestId, at) => (await load()).set(requestId, at),
    cancel: async (requestId) => (await load()).cancel(requestId),
  };
}

function lazyEvents(config: FunctionConfig<'eventBus'>): Events {
  const load = once(async () => (await import('./ports/events.ts')).openEvents(config));
  return { requestEnded: async (row) => (await load()).requestEnded(row) };
}

/** The account's distributions by their names and aliases. */
export function lazyDistributions(): Pick<PopResolver, 'findDistribution'> {
  const load = once(async () => (await import('./ports/distributions.ts')).openDistributions());
  return { findDistribution: async (host) => (await load()).findDistribution(host) };
}

export function lazyResolver({ edge }: FunctionConfig<'edge'>): PopResolver {
  const load = once(async () => (await import('./ports/resolver.ts')).openResolver(edge));
  return {
    resolvePop: async (domain, pop) => (await load()).resolvePop(domain, pop),
    findDistribution: async (host) => (await load()).findDistribution(host),
    hasAddress: async (host) => (await (await load()).hasAddress?.(host)) ?? false,
  };
}

export function lazyDownloader({ edge }: FunctionConfig<'edge'>): Downloader {
  const load = once(async () => (await import('./ports/downloader.ts')).openDownloader(edge));
  return { ask: async (ask) => (await load()).ask(ask), close: async () => (await load()).close() };
}

export function lazyInvalidations(): Invalidations {
  const load = once(async () => (await import('../adapters/aws/cloudfront-invalidations.ts')).createCloudFrontInvalidations());
  return {
    create: async (domain, callerReference, paths) => (await load()).create(domain, callerReference, paths),
    isComplete: async (domain, id) => (await load()).isComplete(domain, id),
  };
}

export function lazyLinks(config: FunctionConfig<'bucket'>): S3Links {
  const load = once(async () => (await import('./ports/links.ts')).openLinks(config));
  return { linkTo: async (key, fileName) => (await load()).linkTo(key, fileName) };
}

/** What whoever may end a request does it with, beside the tables. */
export function lazyEndingPorts(config: FunctionConfig<'group' | 'timers' | 'eventBus'>): {
  readonly fleet: AsgFleet;
  readonly timers: Timers;
  readonly events: Events;
} {
  return { fleet: lazyFleet(config), timers: lazyTimers(config), events: lazyEvents(config) };
}
