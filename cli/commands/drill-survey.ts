import pLimit from 'p-limit';
import { createUndiciDownloader } from '../../adapters/http/undici-downloader.ts';
import type { EdgeAddress } from '../../core/pops/address.ts';
import { CancellableScope } from '../../core/ask-scope.ts';
import { ascending, quantileOf } from '../../core/quantile.ts';

const ASKS_AT_ONCE = 16;

/** What viewers of one POP would meet: how its addresses answered for every URL, first-byte times in milliseconds. */
export interface PopSurvey {
  readonly pop: string;
  readonly asks: number;
  readonly hits: number;
  readonly medianMs: number;
  readonly p95Ms: number;
}

/**
 * Asks every address of every POP for every URL, once. HEAD looks without warming anything, GET is what a viewer does.
 * Throws when an address does not answer, and the signal's reason when it is aborted.
 */
export async function surveyEdge(
  method: 'HEAD' | 'GET',
  urls: readonly string[],
  pops: ReadonlyMap<string, readonly EdgeAddress[]>,
  ca: string,
  signal: AbortSignal,
): Promise<readonly PopSurvey[]> {
  const downloader = createUndiciDownloader({ ca, allowPrivateAddresses: true });
  const scope = new CancellableScope();
  const limit = pLimit(ASKS_AT_ONCE);
  const askOnce = async (pop: string, address: EdgeAddress, url: string) => {
    signal.throwIfAborted();
    const answer = await downloader.ask({ method, url, address, headers: [], scope });
    if (answer.error !== null || answer.status !== 200) throw new Error(`${pop} answered ${url} with ${answer.error ?? answer.status}`);
    return answer;
  };
  try {
    const surveys: PopSurvey[] = [];
    for (const [pop, addresses] of pops) {
      const answers = await Promise.all(addresses.flatMap((address) => urls.map((url) => limit(askOnce, pop, address, url))));
      const times = answers.map((answer) => answer.ttfbMs);
      const hits = answers.filter((answer) => answer.xCache.startsWith('Hit')).length;
      surveys.push({
        pop,
        asks: answers.length,
        hits,
        medianMs: quantileOf(ascending(times), 0.5),
        p95Ms: quantileOf(ascending(times), 0.95),
      });
    }
    return surveys;
  } finally {
    await downloader.close();
  }
}
