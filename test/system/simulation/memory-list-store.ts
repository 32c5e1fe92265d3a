import { PrewarmError } from '../../../core/errors.ts';
import type { ListStore, ResultMetadata } from '../../../core/ports/list-store.ts';

/** Lists and results in this process's memory: no I/O, so that a simulation on a virtual clock replays to the same end. */
export function createMemoryListStore(): ListStore {
  const lists = new Map<string, Buffer>();
  const results = new Map<string, { readonly body: Buffer; readonly metadata: ResultMetadata }>();
  const found = <T>(object: T | undefined, key: string): T => {
    if (object === undefined) throw new PrewarmError('not_found', `${key}: there is no such object`);
    return object;
  };
  return {
    put: async (key, chunks) => {
      const parts: string[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      const object = Buffer.from(parts.join(''));
      lists.set(key, object);
      return object.length;
    },
    read: async function* (key, range = { start: 0 }) {
      const bytes = found(lists.get(key), key).subarray(range.start, Math.max(range.start, range.end ?? Number.POSITIVE_INFINITY));
      if (bytes.length > 0) yield bytes;
    },
    putResult: async (key, body, metadata) => {
      const existing = results.get(key)?.metadata ?? null;
      if (existing === null) results.set(key, { body: Buffer.from(body), metadata: { ...metadata } });
      return { existing };
    },
    resultMetadata: async (key) => results.get(key)?.metadata ?? null,
    readResult: async function* (key) {
      const { body } = found(results.get(key), key);
      if (body.length > 0) yield body;
    },
  };
}
