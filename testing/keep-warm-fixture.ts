import { CancellableScope } from '../core/ask-scope.ts';
import type { Clock } from '../core/clock.ts';
import { createKeepWarmSender, type KeepWarmEvent, type KeepWarmLimits } from '../core/keep-warm/keep-warm-sender.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import type { Answer, Ask, Downloader } from '../core/ports/downloader.ts';
import type { PopResolution, PopResolver } from '../core/ports/pop-resolver.ts';
import { popCatalogue } from '../data/catalogue.ts';

export const HOST = 'd111111abcdef8.cloudfront.net';

export const routeOf = (more: Partial<KeepWarmRoute> = {}): KeepWarmRoute => ({
  domain: HOST,
  url: `https://${HOST}/api/time`,
  pops: ['SIN2-P1', 'FRA56-P4'],
  requestsPerPop: 60,
  method: 'GET',
  headers: [],
  ...more,
});

export const answerOf = (more: Partial<Answer> = {}): Answer => ({
  error: null,
  status: 200,
  xCache: 'Miss from cloudfront',
  servedBy: '',
  etag: '',
  contentEncoding: '',
  cacheControl: 'no-store',
  contentLength: 40,
  rangeTotal: -1,
  bodyBytes: 40,
  ttfbMs: 20,
  totalMs: 21,
  tcpMs: -1,
  tlsMs: -1,
  xConnection: 'reused',
  ...more,
});

export const unanswered = (error: Answer['error']): Answer =>
  answerOf({ error, status: 0, servedBy: '', xConnection: '', bodyBytes: 0, ttfbMs: -1 });

/** Addresses `10.<place>.0.<n>`, four a POP. */
export function fourAddresses(pops: readonly string[]): Pick<PopResolver, 'resolvePop'> {
  return {
    async resolvePop(_domain, pop): Promise<PopResolution> {
      const place = pops.indexOf(pop);
      if (place < 0) return { state: 'pop_unresolvable', detail: `${pop} does not exist` };
      return { state: 'resolved', addresses: [1, 2, 3, 4].map((n) => ({ ip: `10.${place}.0.${n}`, port: 443, httpPort: 80 })) };
    },
  };
}

/** Answers each ask after some time of the clock, or as `cancelled` when its scope says so first. */
export function timedDownloader(clock: Clock, treat: (ask: Ask) => { readonly ms: number; readonly answer: Answer }): Downloader {
  return {
    ask(ask) {
      const { ms, answer } = treat(ask);
      return new Promise((resolve) => {
        const stop = clock.after(ms, () => {
          forget();
          resolve(answer);
        });
        const forget = ask.scope.onCancel(() => {
          stop();
          resolve(unanswered('cancelled'));
        });
      });
    },
    close: async () => {},
  };
}

/** Sends one run and gathers what it tells. */
export async function sendRun(
  clock: Clock,
  ports: { readonly resolver: Pick<PopResolver, 'resolvePop'>; readonly downloader: Downloader },
  routes: readonly KeepWarmRoute[],
  options: { readonly limits?: KeepWarmLimits; readonly spanMs?: number; readonly endMs?: number; readonly scope?: CancellableScope } = {},
): Promise<readonly KeepWarmEvent[]> {
  const events: KeepWarmEvent[] = [];
  const catalogue = popCatalogue();
  const sameCity = (a: string, b: string) => catalogue.sameCity(a, b);
  const sender = createKeepWarmSender({ ...ports, clock, sameCity }, options.limits);
  const { spanMs = 55_000, endMs = 57_000, scope = new CancellableScope() } = options;
  await sender.send(routes, { run: 0, spanMs, endMs, record: (event) => events.push(event), scope });
  return events;
}
