import { PrewarmError } from '../../core/errors.ts';
import type { RequestRow } from '../../core/request/request.ts';
import type { ApiDeps } from './api-deps.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

type Deps = Pick<ApiDeps, 'store' | 'privateRequests'>;

/** Whether the key of that name may know of the request at all. */
export function mayKnow({ privateRequests }: Pick<ApiDeps, 'privateRequests'>, row: Pick<RequestRow, 'madeBy'>, keyName: string): boolean {
  return privateRequests !== true || row.madeBy === keyName;
}

/**
 * The request's row. Throws PrewarmError `not_found`, also where the request is another key's and requests are private.
 * `field` is what the client calls the id; `keyName` null: a link has shown that the client may know of it.
 */
export async function findRequest(deps: Deps, id: string, field: string, keyName: string | null): Promise<RequestRow> {
  // Whatever is no id of ours never reaches a store.
  const row = UUID.test(id) ? await deps.store.get(id.toLowerCase()) : null;
  if (row !== null && (keyName === null || mayKnow(deps, row, keyName))) return row;
  const shown = JSON.stringify(id.slice(0, 64));
  throw new PrewarmError('not_found', `${field}: ${shown}: there is no such request; pass a request_id that POST /prewarm answered`);
}
