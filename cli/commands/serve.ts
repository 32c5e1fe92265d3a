import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { type DataDir, makeFilesPrivate, openDataDir } from '../../adapters/embedded/data-dir.ts';
import { createNotifier } from '../../adapters/http/notifier.ts';
import { type ApiKeys, createApiKeys } from '../../server/app/api-keys.ts';
import { createApiApp } from '../../server/app/api-app.ts';
import { createMetrics, createWorkTotals, type WorkTotals } from '../../server/app/metrics.ts';
import { createReportLinks } from '../../server/app/report-links.ts';
import { systemClock } from '../../core/clock.ts';
import type { Events } from '../../core/ports/ports.ts';
import { NOBODY_AFTER_MS } from '../../core/report/nobody-came.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import packageFile from '../../package.json' with { type: 'json' };
import { DEFAULT_KEY_NAME, watchApiKeys } from '../../server/node/api-key-file.ts';
import { createInvalidationCheck, createLazyInvalidations, createResolver } from '../../embedded/edge-access.ts';
import { AGENT_ENTRY, type EmbeddedSystem, openEmbeddedSystem } from '../../embedded/embedded-system.ts';
import { createEndNotices } from '../../embedded/end-notices.ts';
import { createRetention } from '../../embedded/retention.ts';
import type { RawOptions } from '../options/flags.ts';
import { openHttpServer } from '../../server/node/http-server.ts';
import { createRefusals, type Refusals } from '../../server/node/refusals.ts';
import { keepSecret } from '../../server/node/keep-secret.ts';
import { openServedKeepWarm, type ServedKeepWarm } from '../../embedded/serve-keep-warm.ts';
import { parseServeOptions, type ServeOptions } from '../options/serve-options.ts';
import { proxyNote } from '../print/proxy-note.ts';
import type { Log } from '../../core/ports/log.ts';
import { createServerLog } from '../../server/node/server-log.ts';
import { onInterrupt } from '../signals.ts';

/** The operator's claim lapses by itself; nobody calls then. */
const RECONCILE_MS = 30_000;
/** The group's name in the answers: scripts compare it. */
const GROUP_NAME = 'prewarm_asg_prod';

interface ServeContext {
  readonly options: ServeOptions;
  readonly dataDir: DataDir;
  readonly log: Log;
  /** Rejects when the system cannot go on, resolves when it is asked to stop. */
  readonly stopped: PromiseWithResolvers<void>;
}

/** `prewarm serve`: the HTTP API and the agents in one process tree, until SIGTERM. Throws InvalidInput for options that are wrong. */
export async function serve(raw: RawOptions): Promise<number> {
  // It runs for weeks: without this V8 lets garbage grow to hundreds of megabytes before it looks (measured: 316 against 117).
  setFlagsFromString('--optimize-for-size');
  makeFilesPrivate();
  const options = parseServeOptions(raw, process.env);
  const isTemporary = options.dataDir === null;
  const dataDir = openDataDir(options.dataDir ?? mkdtempSync(join(tmpdir(), 'prewarm-')));
  const serverLog = createServerLog({ isTTY: process.stderr.isTTY, debug: process.env['PREWARM_DEBUG'] === '1' });
  const { log } = serverLog;
  takeConsole(log);
  const stopped = Promise.withResolvers<void>();
  // It may reject before anybody waits for it.
  stopped.promise.catch(() => {});
  const stopListening = onInterrupt(() => {
    log.info({}, 'stopping: agents give back what they have not finished');
    stopped.resolve();
  });
  try {
    await serveUntilStopped({ options, dataDir, log, stopped });
    return 0;
  } finally {
    stopListening();
    serverLog.flush();
    dataDir.release();
    if (isTemporary) rmSync(dataDir.path, { recursive: true, force: true });
  }
}

/** The HTTP adapter tells of clients that went away on the console, which must stay free for what was asked for. */
function takeConsole(log: Log): void {
  console.info = (text: unknown) => log.debug({ text }, 'the HTTP server says');
  console.error = (error: unknown) => log.error({ err: error }, 'the HTTP server says');
}

async function serveUntilStopped(context: ServeContext): Promise<void> {
  const { options, stopped } = context;
  const notices = createEndNotices({ notifier: createNotifier(notifierOptions(options)), log: context.log });
  const workTotals = createWorkTotals();
  const events: Events = {
    async requestEnded(row) {
      workTotals.ended(row);
      await notices.requestEnded(row);
    },
  };
  const system = await openSystem(context, events);
  try {
    const keptWarm = await openKeptWarm(context, system);
    const refusals = createRefusals(context.log, options);
    const server = await openHttpServer(() => createApp(context, { system, keptWarm, refusals, workTotals }), options).catch(
      async (error: unknown) => {
        await keptWarm.close();
        throw error;
      },
    );
    const { keepDays } = options;
    const retention = createRetention({ ...system.stores, clock: systemClock, log: context.log, keepDays });
    const reconciling = setInterval(() => void system.pipeline.reconcileFleet().catch(stopped.reject), RECONCILE_MS);
    try {
      workTotals.begin(await system.stores.store.listActive());
      notices.resume(system.stores);
      await system.start();
      await system.pipeline.reconcileFleet();
      retention.start();
      announce(context, server.url);
      await stopped.promise;
    } finally {
      clearInterval(reconciling);
      await retention.close();
      await keptWarm.close();
      await server.close();
      refusals.close();
    }
  } finally {
    await notices.close();
    await system.close();
  }
}

function notifierOptions({ edge, allowPrivateNotify }: ServeOptions) {
  return { allowPrivateAddresses: allowPrivateNotify, ...(edge.ca === null ? {} : { ca: edge.ca.pem }) };
}

async function openSystem({ options, dataDir, log, stopped }: ServeContext, events: Events): Promise<EmbeddedSystem> {
  const { edge } = options;
  return openEmbeddedSystem({
    dataDir: dataDir.path,
    maximumAgents: options.maximumAgents,
    keepReady: 1,
    agentEntry: AGENT_ENTRY,
    concurrency: options.concurrency,
    ca: edge.ca,
    allowPrivateAddresses: edge.allowPrivateAddresses,
    resolver: await createResolver(edge),
    invalidations: createLazyInvalidations(options.invalidationEndpoint),
    events,
    onFatal: stopped.reject,
    onOutput: (text) => log.warn({ text: text.trimEnd() }, 'an agent says'),
  });
}

function openKeptWarm({ options, log, stopped }: ServeContext, { resolver }: EmbeddedSystem): Promise<ServedKeepWarm> {
  return openServedKeepWarm({ inputs: options.keepWarm, edge: options.edge, resolver, log, onFatal: stopped.reject });
}

interface AppParts {
  readonly system: EmbeddedSystem;
  readonly keptWarm: ServedKeepWarm;
  readonly refusals: Refusals;
  readonly workTotals: WorkTotals;
}

function createApp(
  { options, dataDir, log }: ServeContext,
  { system: { stores, pipeline, fleet, resolver }, keptWarm, refusals, workTotals }: AppParts,
) {
  const keys = openKeys(options, dataDir, log);
  const { version } = packageFile;
  return createApiApp({
    ...stores,
    pipeline,
    fleet,
    domains: options.edge.edgeMap === null ? resolver : null,
    catalogue: popCatalogue(),
    maxTargets: options.maxTargets,
    maxInvalidationPaths: options.maxInvalidationPaths,
    keyOf: (request) => keys.holderOf(request.headers.get('x-api-key') ?? ''),
    onRefused: (refused) => refusals.refused(refused),
    privateRequests: options.privateRequests,
    reportLinks: createReportLinks(Buffer.from(keepSecret(join(dataDir.path, 'report-secret')).secret), systemClock),
    clock: systemClock,
    log,
    newId: randomUUID,
    ...(options.publicUrl === null ? {} : { publicUrl: options.publicUrl }),
    invalidationFault: createInvalidationCheck(options.invalidationEndpoint, options.allowedDomains.length > 0),
    allowedDomains: options.allowedDomains,
    groupName: GROUP_NAME,
    nobodyAfterMs: NOBODY_AFTER_MS.processes,
    showSuccessUrls: options.showSuccessUrls,
    metrics: createMetrics({ ...stores, fleet, version, workTotals, addMore: (page) => keptWarm.addMetrics(page) }),
    version,
  });
}

function openKeys({ keys, watched }: ServeOptions, dataDir: DataDir, log: Log): ApiKeys {
  if (watched !== null) return watchApiKeys(watched, log);
  return createApiKeys(keys.length > 0 ? keys : [makeKey(dataDir)]);
}

/** Shown when it is made, and never again. */
function makeKey(dataDir: DataDir) {
  const path = join(dataDir.path, 'api-key');
  const { secret, isNew } = keepSecret(path);
  process.stderr.write(
    isNew ? `prewarm: the API key, made now and shown this once: ${secret}\n` : `prewarm: the API key is the one in ${path}\n`,
  );
  return { name: DEFAULT_KEY_NAME, role: 'full' as const, key: secret };
}

function announce({ options, dataDir, log }: ServeContext, url: string): void {
  process.stdout.write(options.json ? `${JSON.stringify({ url })}\n` : `prewarm serves ${url}\n`);
  if (options.dataDir === null) process.stderr.write('prewarm: the state ends with this process; --data-dir keeps it\n');
  log.info({ url, data_dir: dataDir.path, max_agents: options.maximumAgents }, 'ready');
  const proxy = proxyNote(process.env);
  if (proxy !== null) log.warn({}, proxy);
}
