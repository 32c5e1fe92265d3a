import { PrewarmError } from '../errors.ts';
import type { AgentPorts } from '../ports/ports.ts';
import { isActive, type RequestRow, type RequestSpec } from '../request/request.ts';
import type { TaskMessage } from './task.ts';
import { withHeaders } from '../request/without-secrets.ts';

type Named = Pick<TaskMessage, 'requestId' | 'headers'>;

/** What tasks are worked by, with headers that lie apart from the row: read once for all tasks of a request. */
export interface SpecReader {
  /** Null: the request has ended meanwhile, and its headers are gone. */
  read(task: Named, row: RequestRow): Promise<RequestSpec | null>;
  forgetOthers(active: ReadonlySet<string>): void;
}

type Persist = <T>(act: () => Promise<T>) => Promise<T>;

export function createSpecReader({ store, viewerHeaders }: Pick<AgentPorts, 'store' | 'viewerHeaders'>, persist: Persist): SpecReader {
  /** Tasks of one request come together: those that come while its headers are being read wait for the same reading. */
  const known = new Map<string, Promise<RequestSpec>>();

  async function readSpec({ requestId, headers: name }: Named, { spec }: RequestRow): Promise<RequestSpec> {
    // With the empty values of the row it would warm what no viewer asks for.
    if (name === undefined || viewerHeaders === null)
      throw new PrewarmError('not_found', `a task of request ${requestId} does not name the headers that are kept apart`);
    return withHeaders(spec, await persist(() => viewerHeaders.read(name)));
  }

  return {
    async read(task, row) {
      if (row.spec.headersApart !== true) return row.spec;
      const reading = known.get(row.id) ?? readSpec(task, row);
      known.set(row.id, reading);
      try {
        return await reading;
      } catch (error) {
        if (known.get(row.id) === reading) known.delete(row.id);
        const now = await persist(() => store.get(row.id));
        if (now === null || !isActive(now.status)) return null;
        throw error;
      }
    },
    forgetOthers(active) {
      for (const id of known.keys()) if (!active.has(id)) known.delete(id);
    },
  };
}
