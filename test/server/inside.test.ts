import { expect, onTestFinished, test } from 'vitest';
import type { ApiDeps } from '../../server/app/api-deps.ts';
import { createApiApp } from '../../server/app/api-app.ts';
import { createMetrics } from '../../server/app/metrics.ts';
import { openEmbeddedStores } from '../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../adapters/embedded/holder.ts';
import { systemClock } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import { type ErrorCode, FAILURES } from '../../core/failures.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

const INSIDE = 'arn:aws:iam::123456789012:role/api may not read /var/lib/prewarm/prewarm.db';
const ID = '0b9f2f0e-3f63-4f0e-8a30-000000000000';

/** An app whose store fails at every reading, and what it logs. */
function openFailing(code: ErrorCode) {
  const stores = openEmbeddedStores(temporaryDir(), systemClock, { holder: createHolder() });
  onTestFinished(() => stores.close());
  const fail = async () => {
    throw new PrewarmError(code, INSIDE);
  };
  const logged: Readonly<Record<string, unknown>>[] = [];
  const note = (fields: Readonly<Record<string, unknown>>) => void logged.push(fields);
  const deps = {
    ...stores,
    store: { ...stores.store, getOperatorClaim: fail, get: fail, list: fail },
    pipeline: { accept: fail, end: fail, reconcileFleet: fail, report: () => (async function* () {})() },
    fleet: { maximum: 1, getCapacity: fail, inspect: fail },
    domains: null,
    catalogue: popCatalogue(),
    maxTargets: 10,
    maxInvalidationPaths: 10,
    keyOf: () => ({ name: 'ci', role: 'full' as const }),
    reportLinks: { linkTo: fail, check: () => null, servesReports: true },
    invalidationFault: async () => null,
    groupName: 'group',
    nobodyAfterMs: 10_000,
    clock: systemClock,
    log: { debug: note, info: note, error: note },
    newId: () => ID,
    showSuccessUrls: false,
    version: '1.0.0',
  } satisfies ApiDeps;
  return { app: createApiApp({ ...deps, metrics: createMetrics(deps) }), logged };
}

test.each([
  ['storage', 503],
  ['throttled', 503],
  ['denied', 503],
  ['unavailable', 503],
  ['dns', 500],
] as const)(
  'an answer to a failure of the kind %s shows nothing of the inside, and the log has the failure under an id',
  async (code, status) => {
    const { app, logged } = openFailing(code);
    for (const path of [
      '/healthz',
      '/requests',
      '/instances',
      '/instances?detail=1',
      '/metrics',
      `/prewarm?req_id=${ID}`,
      `/summary?req_id=${ID}`,
    ]) {
      logged.length = 0;
      const answer = await app.request(path);
      const text = await answer.text();
      expect([path, answer.status]).toEqual([path, path === '/metrics' ? answer.status : status]);
      expect(text).not.toMatch(/arn:|\/var\/lib/);
      if (path === '/metrics') continue;
      expect(text).toContain(ID);
      expect(logged.find((fields) => fields['failure_id'] === ID)).toMatchObject({
        err: { message: INSIDE },
        remedy: FAILURES[code].remedy,
      });
    }
  },
);
