import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { type EmbeddedStores, openEmbeddedStores } from '../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../adapters/embedded/holder.ts';
import { createProcessFleet, type ProcessFleet } from '../adapters/embedded/process-fleet.ts';
import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { systemClock } from '../core/clock.ts';
import { createPipeline, type Pipeline } from '../core/pipeline/create-pipeline.ts';
import type { Events } from '../core/ports/ports.ts';
import type { Invalidations } from '../core/ports/invalidations.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import { runPipelineLoop } from './pipeline-loop.ts';
import { PrewarmError } from '../core/errors.ts';
import { describeWait, NOBODY_AFTER_MS } from '../core/report/nobody-came.ts';
import { type Progress, viewProgress } from '../core/report/progress.ts';
import { isEnded, type RequestRow } from '../core/request/request.ts';

/** From asking an agent to end to ending it: giving back takes it far less, and what it holds is freed at its end. */
const AGENT_KILL_AFTER_MS = 4000;

/** Sizes asked at the same time, 64 for each of three requests, shared by all that are being sized. */
const HEADS_IN_FLIGHT = 192;

/**
 * What agents get of this process's environment. They read what edges send, so no key and no credential of AWS is among it: names
 * that are not here stay out. Proxies are none of theirs, because downloads go to the POPs themselves.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SYSTEMROOT',
  'LD_LIBRARY_PATH',
  'OPENSSL_CONF',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  'NODE_COMPILE_CACHE',
  'NODE_DEBUG',
  'NODE_DISABLE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_ICU_DATA',
  'NODE_OPTIONS',
  'NODE_V8_COVERAGE',
  'NO_COLOR',
  'PREWARM_BEAT_MS',
  'PREWARM_LEASE_MS',
];

/** Somebody sits and waits, and a simulated edge takes no time. */
const INVALIDATION_POLLS_MS = [250, 1000, 3000] as const;

/** Path of the agents' main file: a source beside the others, or a bundle beside this one. */
const AGENT_FILE = import.meta.url.endsWith('.ts') ? '../agent/embedded.ts' : './agent.js';
export const AGENT_ENTRY = fileURLToPath(new URL(AGENT_FILE, import.meta.url));

export interface EmbeddedSystemOptions {
  /** Created and locked by the caller. */
  readonly dataDir: string;
  /** Most agents at a time. */
  readonly maximumAgents: number;
  /** Agents kept up without a request, so that the first one finds them; default 0. */
  readonly keepReady?: number;
  readonly agentEntry: string;
  /** Downloads in flight per agent; null: chosen by itself. */
  readonly concurrency: number | null;
  /** PEM of the roots to trust instead of the well-known ones, and the file it came from, which agents read. */
  readonly ca: { readonly pem: string; readonly file: string } | null;
  readonly allowPrivateAddresses: boolean;
  readonly resolver: PopResolver;
  readonly invalidations: Invalidations | null;
  readonly events: Events;
  /** The system cannot go on: a full disk, agents that end as soon as they start, a fault of the program. */
  readonly onFatal: (error: unknown) => void;
  readonly onOutput: (text: string) => void;
}

/** The whole product in one process tree: stores in a directory, agents as children, the pipeline fed by the outbox. */
export interface EmbeddedSystem {
  readonly stores: EmbeddedStores;
  readonly pipeline: Pipeline;
  readonly fleet: ProcessFleet;
  readonly resolver: PopResolver;
  /** Goes on with what was under way before, then with whatever comes. */
  start(): Promise<void>;
  /** Agents give their tasks back and end; nothing runs afterwards. */
  close(): Promise<void>;
}

function agentEnvironment(options: EmbeddedSystemOptions): NodeJS.ProcessEnv {
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    PREWARM_DATA_DIR: options.dataDir,
    PREWARM_ALLOW_PRIVATE_ADDRESSES: String(options.allowPrivateAddresses),
    ...(options.concurrency === null ? {} : { PREWARM_CONCURRENCY: String(options.concurrency) }),
    ...(options.ca === null ? {} : { PREWARM_CA_FILE: options.ca.file }),
  };
}

export function openEmbeddedSystem(options: EmbeddedSystemOptions): EmbeddedSystem {
  const stores = openEmbeddedStores(options.dataDir, systemClock, { holder: createHolder() });
  const downloader = createUndiciDownloader({
    allowPrivateAddresses: options.allowPrivateAddresses,
    ...(options.ca === null ? {} : { ca: options.ca.pem }),
  });
  const sizing = pLimit(HEADS_IN_FLIGHT);
  const fleet = createProcessFleet({
    entry: options.agentEntry,
    env: agentEnvironment(options),
    maximum: options.maximumAgents,
    keepReady: options.keepReady ?? 0,
    onOutput: options.onOutput,
    onExit: async (pid) => {
      await stores.tasks.freeLeasesOf(pid);
    },
    onFatal: options.onFatal,
    killAfterMs: AGENT_KILL_AFTER_MS,
  });
  const pipeline = createPipeline(
    {
      ...stores,
      viewerHeaders: null,
      fleet,
      downloader: { ...downloader, ask: (ask) => sizing(() => downloader.ask(ask)) },
      resolver: options.resolver,
      invalidations: options.invalidations,
      events: { requestEnded: async () => {} },
      clock: systemClock,
    },
    { invalidationPollsMs: INVALIDATION_POLLS_MS },
  );
  const loop = runPipelineLoop({ stores, pipeline, events: options.events, clock: systemClock, onFatal: options.onFatal });

  return {
    stores,
    pipeline,
    fleet,
    resolver: options.resolver,
    async start() {
      await stores.tasks.freeDeadLeases();
      // A process that was killed may have left secrets of viewers in it.
      stores.ended.emptyLog();
      await loop.start();
    },
    async close() {
      await loop.stop();
      await fleet.close();
      await downloader.close();
      stores.close();
    },
  };
}

/** Looks are cheap reads of local tables; a short first pause lets small requests end at once. */
const LOOK_MS = 20;

export async function readProgress(stores: EmbeddedStores, id: string): Promise<{ row: RequestRow; progress: Progress }> {
  const row = await stores.store.get(id);
  if (row === null) throw new PrewarmError('not_found', `request ${id} is not in this data directory`);
  const [provisional, queue] = await Promise.all([stores.store.listProvisional(id), stores.tasks.counts()]);
  const now = Date.now();
  const progress = viewProgress(row, provisional, queue, now);
  const wait = describeWait(row, { provisional, queue }, NOBODY_AFTER_MS.processes, now);
  return { row, progress: { ...progress, status_reason: progress.status_reason ?? wait } };
}

/** Tells `show` of the request's progress every `everyMs` until it has ended; resolves to the row as it is then. */
export async function watchRequest(
  stores: EmbeddedStores,
  id: string,
  options: { readonly everyMs: number; readonly show: (progress: Progress) => void; readonly signal: AbortSignal },
): Promise<RequestRow> {
  let nextShow = 0;
  while (!options.signal.aborted) {
    const row = await stores.store.get(id);
    if (row !== null && isEnded(row.status)) return row;
    if (Date.now() >= nextShow) {
      options.show((await readProgress(stores, id)).progress);
      nextShow = Date.now() + options.everyMs;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
  throw options.signal.reason;
}
