import type { Clock } from '../core/clock.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';
import type { PopCatalogue } from '../core/pop-catalogue.ts';
import type { Fleet } from '../core/ports/fleet.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { Queue } from '../core/ports/queue.ts';
import type { RequestStore } from '../core/ports/request-store.ts';

/** Tells whose key a client presented. */
export interface ApiKeys {
  /** Name of the key; null: it is none. Takes as long for a wrong key as for a right one. */
  nameOf(presented: string): string | null;
}

/** Links to reports that need no key and end by themselves. */
export interface ReportLinks {
  /** `origin` is the address the client reached the API at: `https://host`. */
  linkTo(requestId: string, origin: string): Promise<string>;
  /** What is wrong with a link's token; null: nothing. */
  check(requestId: string, expires: string, token: string): 'wrong' | 'expired' | null;
}

/** One thing worth telling an operator. Never a key, a header's value or a body. */
interface ApiLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** All that the HTTP API runs on; the same for a server on one machine and for a function in AWS. */
export interface ApiDeps {
  readonly store: RequestStore;
  readonly lists: ListStore;
  readonly pipeline: Pick<Pipeline, 'accept' | 'end' | 'reconcileFleet' | 'report'>;
  readonly fleet: Pick<Fleet, 'maximum' | 'getCapacity'>;
  readonly tasks: Pick<Queue<unknown>, 'counts'>;
  /** Finds the distribution behind a host; null where an edge map stands in for DNS, and no distribution is needed. */
  readonly domains: Pick<PopResolver, 'findDistribution'> | null;
  readonly catalogue: PopCatalogue;
  readonly keys: ApiKeys;
  readonly reportLinks: ReportLinks;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: ApiLog;
  /** A new UUID. */
  readonly newId: () => string;
  /** Whether `GET /status` lists the URLs that are done. */
  readonly showSuccessUrls: boolean;
  readonly version: string;
}
