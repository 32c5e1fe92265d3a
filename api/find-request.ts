import { PrewarmError } from '../core/errors.ts';
import type { RequestRow } from '../core/request.ts';
import type { ApiDeps } from './api-deps.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** The request's row. Throws PrewarmError `not_found`; `field` is what the client calls the id. */
export async function findRequest({ store }: Pick<ApiDeps, 'store'>, id: string, field: string): Promise<RequestRow> {
  // Whatever is no id of ours never reaches a store.
  const row = UUID.test(id) ? await store.get(id.toLowerCase()) : null;
  if (row !== null) return row;
  const shown = JSON.stringify(id.slice(0, 64));
  throw new PrewarmError('not_found', `${field}: ${shown}: there is no such request; pass a request_id that POST /prewarm answered`);
}
