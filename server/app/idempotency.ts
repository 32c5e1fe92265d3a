import { hash } from 'node:crypto';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { ApiDeps } from './api-deps.ts';

export const IDEMPOTENCY_HEADER = 'Idempotency-Key';
const KEY_LASTS_MS = 24 * 60 * 60_000;
const KEY = /^[\u0021-\u007e]{1,255}$/;

/**
 * The id of the request that is to be made: a new one, or that of the first request under the same key. Throws PrewarmError
 * `conflict` where that one had another body.
 */
export async function requestIdFor(
  { store, clock, newId }: Pick<ApiDeps, 'store' | 'clock' | 'newId'>,
  client: { readonly name: string; readonly idempotencyKey: string | null },
  body: unknown,
): Promise<string> {
  const requestId = newId();
  if (client.idempotencyKey === null) return requestId;
  if (!KEY.test(client.idempotencyKey)) {
    throw new InvalidInput([
      inputFault(IDEMPOTENCY_HEADER, client.idempotencyKey, 'write 1 to 255 printable ASCII characters without blanks'),
    ]);
  }
  const now = clock.now();
  const fingerprint = hash('sha256', canonicalJson(body), 'hex');
  const own = { key: `${client.name}/${client.idempotencyKey}`, fingerprint, requestId, lapsesAt: now + KEY_LASTS_MS };
  const claim = await store.claimIdempotencyKey(own, now);
  if (claim.fingerprint !== fingerprint) {
    throw new PrewarmError(
      'conflict',
      `${IDEMPOTENCY_HEADER}: belongs to request ${claim.requestId}, which had another body; use a new key for a new request`,
    );
  }
  return claim.requestId;
}

/** The same text for the same JSON, whatever the order of its names. Depth is bounded by the parser. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
