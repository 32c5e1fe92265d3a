import type { Clock } from '../clock.ts';
import type { RequestStore } from '../ports/request-store.ts';
import type { RequestRow } from '../request/request.ts';

/** Rows of requests, at most `maxAgeMs` old: every task of a request asks for the same one. */
export interface RequestCache {
  read(id: string): Promise<RequestRow | null>;
  forgetOthers(active: ReadonlySet<string>): void;
}

export function createRequestCache(clock: Clock, get: RequestStore['get'], maxAgeMs: number): RequestCache {
  const known = new Map<string, { readonly row: RequestRow | null; readonly readAt: number }>();
  return {
    async read(id) {
      const recent = known.get(id);
      if (recent && Math.abs(clock.now() - recent.readAt) < maxAgeMs) return recent.row;
      const row = await get(id);
      known.set(id, { row, readAt: clock.now() });
      return row;
    },
    forgetOthers(active) {
      for (const id of known.keys()) if (!active.has(id)) known.delete(id);
    },
  };
}
