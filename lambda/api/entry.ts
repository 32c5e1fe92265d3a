import { randomUUID } from 'node:crypto';
import { withAccountDistributions } from '../../adapters/aws/account-distributions.ts';
import { systemClock } from '../../core/clock.ts';
import { NOBODY_AFTER_MS } from '../../core/report/nobody-came.ts';
import { acceptRequest } from '../../core/pipeline/accept-request.ts';
import { endRequest } from '../../core/pipeline/end-request.ts';
import { createContext } from '../../core/pipeline/pipeline-context.ts';
import { reconcileFleet } from '../../core/pipeline/reconcile-fleet.ts';
import { reportRequest } from '../../core/report/report-request.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import packageFile from '../../package.json' with { type: 'json' };
import { lazyPort } from '../../core/ports/lazy-port.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';
import type { S3Links } from '../../adapters/aws/s3-links.ts';
import type { ApiDeps } from '../../server/app/api-deps.ts';
import { countAccepted, createApiHandler, createInvalidationCheck } from './api-handler.ts';
import { readEndSummary } from '../end-report.ts';
import { ENDING, loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import {
  createEndingPorts,
  createListStore,
  createQueue,
  createResolver,
  createViewerHeaders,
  openRequestStore,
} from '../pipeline-ports.ts';
import { createBucketReportLinks } from './report-links.ts';

const config = loadFunctionConfig(process.env, [
  ...ENDING,
  'bucket',
  'taskQueueUrl',
  'showSuccessUrls',
  'maxTargets',
  'maxInvalidationPaths',
  'allowedDomains',
  'edge',
  'region',
]);
const instruments = createInstruments('api', config);
const store = openRequestStore(config);
const lists = createListStore(config);
const ending = createEndingPorts(config);
const distributions = lazyPort<Pick<PopResolver, 'findDistribution'>>(async () => {
  const { CloudFrontClient, cloudFrontRegion, createAccountDistributions } = await import('../../adapters/aws/account-distributions.ts');
  return createAccountDistributions(new CloudFrontClient({ region: cloudFrontRegion(config.region) }), systemClock);
});
const links = lazyPort<S3Links>(async () => {
  const { createS3Links, S3Client } = await import('../../adapters/aws/s3-links.ts');
  return createS3Links(new S3Client(), { bucket: config.bucket });
});
const ports = { ...ending, store, lists, viewerHeaders: createViewerHeaders(config), clock: systemClock };
const context = createContext(ports);
const pipeline: ApiDeps['pipeline'] = {
  accept: (request) => acceptRequest(ports, request),
  end: (id, status, reason) => endRequest(context, id, status, reason),
  reconcileFleet: () => reconcileFleet(ports),
  report: (id, only) => reportRequest(ports, id, only),
};

function tellUnlisted(error: unknown): void {
  instruments.log.error({ err: error }, "the account's distributions cannot be listed; DNS is asked instead");
}

export const handler = instrument(
  instruments,
  createApiHandler({
    store,
    lists,
    pipeline: countAccepted(pipeline, { metrics: instruments.metrics, clock: systemClock }),
    fleet: ending.fleet,
    tasks: createQueue(config.taskQueueUrl),
    domains: config.edge.edgeMap === null ? withAccountDistributions(createResolver(config), distributions, tellUnlisted) : null,
    catalogue: popCatalogue(),
    maxTargets: config.maxTargets,
    maxInvalidationPaths: config.maxInvalidationPaths,
    reportLinks: createBucketReportLinks({ store, lists, pipeline, links, events: ending.events }),
    keptSummary: (requestId) => readEndSummary(lists, requestId),
    invalidationFault: createInvalidationCheck(distributions, config.allowedDomains.length > 0),
    allowedDomains: config.allowedDomains,
    groupName: config.group.groupName,
    nobodyAfterMs: NOBODY_AFTER_MS.instances,
    clock: systemClock,
    log: instruments.log,
    newId: randomUUID,
    showSuccessUrls: config.showSuccessUrls,
    version: packageFile.version,
  }),
);
