import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { keys } from '../../../core/keys.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import type { VariantHeaders, ViewerHeaders } from '../../../core/ports/viewer-headers.ts';

export interface KeptHeaders extends ViewerHeaders {
  /** What was called, in order. */
  readonly calls: string[];
  readonly names: Map<string, string>;
}

/** Headers that are kept apart, as objects of a list store; what is dropped cannot be read any more. */
export function keepHeadersIn(lists: Pick<ListStore, 'put' | 'read'>): KeptHeaders {
  const names = new Map<string, string>();
  const dropped = new Set<string>();
  const calls: string[] = [];
  return {
    calls,
    names,
    async keep(requestId, headers) {
      calls.push(`keep ${requestId}`);
      const name = randomBytes(32).toString('base64url');
      await lists.put(keys.headers(name), [JSON.stringify(headers)]);
      if (!names.has(requestId)) names.set(requestId, name);
    },
    nameOf: async (requestId) => names.get(requestId) ?? null,
    async read(name) {
      calls.push(`read ${name}`);
      return JSON.parse(await text(lists.read(keys.headers(dropped.has(name) ? 'dropped' : name)))) as VariantHeaders;
    },
    async drop(requestId) {
      calls.push(`drop ${requestId}`);
      dropped.add(names.get(requestId) ?? '');
    },
  };
}
