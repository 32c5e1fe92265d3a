import type { Answer, AskError } from '../ports/downloader.ts';

/** What is told of an ask of which no part of an answer came; `totalMs`: until it was given up, milliseconds. */
export function unanswered(error: AskError, totalMs = 0): Answer {
  return {
    error,
    status: 0,
    xCache: '',
    servedBy: '',
    etag: '',
    contentEncoding: '',
    cacheControl: '',
    contentLength: -1,
    rangeTotal: -1,
    bodyBytes: 0,
    ttfbMs: -1,
    totalMs,
  };
}
