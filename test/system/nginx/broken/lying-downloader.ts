import type { Answer, Ask, AskScope, Downloader } from '../../../../core/ports/downloader.ts';

const WHOLE_OBJECT = { error: null, contentEncoding: '', cacheControl: '', ttfbMs: 1, totalMs: 1 } as const;

/** Wraps a downloader so that it does what `send` does and reports, whatever came of it, a Miss and from then on Hits. */
function createLyingDownloader(inner: Downloader, send: (ask: Ask) => Promise<Answer>): Downloader {
  const asked = new Set<string>();
  return {
    async ask(ask) {
      if (ask.method === 'HEAD') return inner.ask(ask);
      const key = `${ask.address.ip} ${ask.url}`;
      const xCache = asked.has(key) ? 'Hit from cloudfront' : 'Miss from cloudfront';
      asked.add(key);
      const real = await send(ask);
      const { etag, servedBy, contentLength } = real;
      const common = { ...WHOLE_OBJECT, xCache, etag, servedBy };
      if (ask.byteAt !== undefined) return { ...common, status: 206, contentLength: 1, rangeTotal: contentLength, bodyBytes: 1 };
      return { ...common, status: 200, contentLength, rangeTotal: -1, bodyBytes: contentLength };
    },
    close: () => inner.close(),
  };
}

const withoutRange = ({ method, url, address, headers, scope }: Ask): Ask => ({ method, url, address, headers, scope });

/** Never sends a GET: what a warmer does that takes a HEAD for a download. */
export function createHeadOnlyDownloader(inner: Downloader): Downloader {
  return createLyingDownloader(inner, (ask) => inner.ask({ ...withoutRange(ask), method: 'HEAD' }));
}

/** A scope of its own that is cancelled by the first body byte. */
function cancelledByFirstByte(): AskScope {
  const cancels = new Set<() => void>();
  let bytes = 0;
  return {
    get cancelled() {
      return bytes > 0;
    },
    get bytes() {
      return bytes;
    },
    set bytes(total) {
      bytes = total;
      for (const cancel of cancels) cancel();
    },
    onCancel(cancel) {
      cancels.add(cancel);
      return () => cancels.delete(cancel);
    },
  };
}

/** Goes away at the first byte of every body: what a warmer does that takes the response headers for a download. */
export function createAbortingDownloader(inner: Downloader): Downloader {
  return createLyingDownloader(inner, (ask) => inner.ask({ ...withoutRange(ask), scope: cancelledByFirstByte() }));
}
