import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { systemClock } from '../core/clock.ts';
import { createKeepWarmSender, type KeepWarmSender } from '../core/keep-warm/keep-warm-sender.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import { popCatalogue } from '../data/catalogue.ts';
import type { EdgeOptions } from './edge-access.ts';

/** One per address of the POPs is used at a time, about 100 KB each. */
const MAX_IDLE_CONNECTIONS = 1024;

export interface KeepWarmSending {
  readonly sender: KeepWarmSender;
  close(): Promise<void>;
}

/** A sender with connections of its own, pinned as an agent's are. */
export function openKeepWarmSending(edge: EdgeOptions, resolver: PopResolver): KeepWarmSending {
  const downloader = createUndiciDownloader({
    allowPrivateAddresses: edge.allowPrivateAddresses,
    maxIdleConnections: MAX_IDLE_CONNECTIONS,
    ...(edge.ca === null ? {} : { ca: edge.ca.pem }),
  });
  const catalogue = popCatalogue();
  return {
    sender: createKeepWarmSender({ resolver, downloader, clock: systemClock, sameCity: (a, b) => catalogue.sameCity(a, b) }),
    close: () => downloader.close(),
  };
}
