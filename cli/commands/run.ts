import { createHash, randomUUID } from 'node:crypto';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { findDomain } from '../../core/request/find-domain.ts';
import { inputFault } from '../../core/input-fault.ts';
import { checkInvalidationPaths } from '../../core/request/invalidation-path.ts';
import { keys } from '../../core/keys.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import { viewPops } from '../../core/report/progress.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';
import { type RequestInput, settleRequest } from '../../core/request/request-input.ts';
import { parseUrlLine, readLines } from '../../core/work/sized-list.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { checkCanInvalidate, createInvalidations, createResolver } from '../../embedded/edge-access.ts';
import { describePlaces } from '../print/describe-places.ts';
import { AGENT_ENTRY, type EmbeddedSystem, openEmbeddedSystem, readProgress, watchRequest } from '../../embedded/embedded-system.ts';
import type { ToldFailures } from '../print/failure-lines.ts';
import { dropFailures, failuresPath, writeFailures } from '../../embedded/failures-file.ts';
import type { RawOptions } from '../options/flags.ts';
import { throwIfOutputLost } from '../print/output-faults.ts';
import { makeFilesPrivate } from '../../adapters/embedded/data-dir.ts';
import {
  dropRunRecord,
  hasRunRecord,
  loadRunRecord,
  noteResume,
  openRunDir,
  resumedFlags,
  type RunDir,
  saveRunRecord,
} from '../../embedded/run-dir.ts';
import { parseRunOptions, type RunOptions } from '../options/run-options.ts';
import { proxyNote } from '../print/proxy-note.ts';
import { createRunOutput, type RunOutput } from '../print/run-output.ts';
import { checkSameList, hashUrls } from '../options/same-list.ts';
import { checkSameOptions } from '../options/same-options.ts';
import { onInterrupt } from '../signals.ts';
import { exitCodeOf } from '../options/success-rule.ts';
import { describeTaken, takeList } from '../options/take-list.ts';
import { writeReport } from '../../embedded/write-report.ts';
import { EXIT } from '../exit-code.ts';

const SUCCESS = 0;
/** What still runs after an interrupt is broken off then: the state on disk bears it, as it bears a kill. */
const INTERRUPT_DEADLINE_MS = 6000;

/** Why a run ends before its request does. */
class Interrupted extends Error {}

interface RunContext {
  readonly options: RunOptions;
  readonly raw: RawOptions;
  readonly dataDir: RunDir;
  readonly system: EmbeddedSystem;
  readonly output: RunOutput;
  readonly signal: AbortSignal;
}

export interface RunSettings {
  /** Main file of the agents. */
  readonly agentEntry?: string;
  /** False: the edge is gone with this process, so there is nothing to go on with later. */
  readonly isResumable?: boolean;
}

/** `prewarm run`: warms a list from this machine. Returns the exit code; throws InvalidInput when nothing was sent. */
export async function run(file: string | undefined, raw: RawOptions, settings: RunSettings = {}): Promise<number> {
  makeFilesPrivate();
  const { agentEntry = AGENT_ENTRY, isResumable = true } = settings;
  const flags = raw['resume'] === true && typeof raw['dataDir'] === 'string' ? resumedFlags(raw['dataDir'], raw) : raw;
  const options = parseRunOptions(file, flags);
  const dataDir = openRunDir(options.dataDir);
  const output = createRunOutput(options);
  const proxy = proxyNote(process.env);
  if (proxy !== null) output.note(proxy);
  if (options.out !== null && raw['out'] === undefined) output.note(`the report goes to ${options.out}`);
  const ended = new AbortController();
  const conclusion = createConclusion(dataDir, output, isResumable);
  const stopListening = onInterrupt(() => {
    output.note('stopping: agents give back what they have not finished');
    ended.abort(new Interrupted());
    setTimeout(() => process.exit(EXIT.interrupted), INTERRUPT_DEADLINE_MS).unref();
  });
  // However this process is ended: by the deadline, or by a second Ctrl-C that waits for nothing.
  process.once('exit', conclusion.interrupted);
  try {
    const system = await openSystem(options, dataDir, agentEntry, (error) => ended.abort(error), output);
    try {
      const code = await runWith({ options, raw: flags, dataDir, system, output, signal: ended.signal });
      await throwIfOutputLost();
      // What a run before this one kept in a temporary directory to be gone on with.
      if (code === SUCCESS && hasRunRecord(dataDir.path) && loadRunRecord(dataDir.path).temporaryDir === dataDir.path) dataDir.discard();
      return code;
    } finally {
      await system.close();
    }
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    if (error instanceof Interrupted) {
      conclusion.interrupted();
      return EXIT.interrupted;
    }
    throw conclusion.brokenOff(error);
  } finally {
    process.off('exit', conclusion.interrupted);
    stopListening();
    output.close();
    dataDir.release();
  }
}

/** For a run that ends before its request does, or before its results are out: keeps what can be gone on with, and says how. */
interface Conclusion {
  readonly interrupted: () => void;
  /** The error to end with. One of output that could not be written says in the same line how to go on. */
  readonly brokenOff: (error: unknown) => unknown;
}

/** A path as a shell reads it. */
const quoted = (path: string) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`);

function createConclusion(dataDir: RunDir, output: RunOutput, isResumable: boolean): Conclusion {
  let isTold = false;
  /** How to go on, '' where there is nothing to go on with; null: it has been told. */
  const conclude = (): string | null => {
    if (isTold) return null;
    isTold = true;
    // So that the last thing said is how to go on.
    output.close();
    const hasBegun = isResumable && hasRunRecord(dataDir.path);
    if (hasBegun) dataDir.keep();
    dataDir.release();
    return hasBegun ? `go on with: prewarm run --resume --data-dir ${quoted(dataDir.path)}` : '';
  };
  return {
    interrupted() {
      const hint = conclude();
      if (hint !== null) output.note(hint === '' ? 'interrupted' : `interrupted; ${hint}`);
    },
    brokenOff(error) {
      const hint = conclude();
      if (hint === null || hint === '') return error;
      if (error instanceof PrewarmError && error.code === 'output')
        return new PrewarmError('output', `${error.message}; ${hint}`, { cause: error });
      output.note(`broken off; ${hint}`);
      return error;
    },
  };
}

/** The outcome of `work`, unless the signal comes first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function openSystem(
  options: RunOptions,
  dataDir: RunDir,
  agentEntry: string,
  onFatal: (error: unknown) => void,
  output: RunOutput,
): Promise<EmbeddedSystem> {
  const { edge } = options;
  const invalidates = options.request?.invalidate === true || options.invalidationEndpoint !== null || options.request === null;
  const system = openEmbeddedSystem({
    dataDir: dataDir.path,
    maximumAgents: options.agents,
    agentEntry,
    concurrency: options.concurrency,
    ca: edge.ca,
    allowPrivateAddresses: edge.allowPrivateAddresses,
    resolver: await createResolver(edge),
    invalidations: invalidates ? await createInvalidations(options.invalidationEndpoint) : null,
    events: { requestEnded: async () => {} },
    onFatal,
    onOutput: (text) => output.agentOutput(text),
  });
  // Before the list is read: agents take as long to start as a small list takes to be read and sized.
  await system.fleet.setCapacity(options.agents);
  return system;
}

async function runWith(context: RunContext): Promise<number> {
  const { options, system, output, signal } = context;
  const { stores, pipeline } = system;
  const id = options.request === null ? await resumeRequest(context) : await makeRequest(context, options.request);
  if (signal.aborted) throw signal.reason;
  await system.start();
  const row = await watchRequest(stores, id, { everyMs: output.everyMs, show: (progress) => output.progress(progress), signal });
  await stores.store.dropSecrets(id);
  if (options.out !== null) await writeReport(options.out, pipeline.report(id));
  const { progress } = await readProgress(stores, id);
  const failures = await keepFailures(context, row);
  const elapsedMs = (row.endedAt ?? row.updatedAt) - row.createdAt - loadRunRecord(context.dataDir.path).pausedMs;
  await output.end({ progress, pops: viewPops(row, await stores.store.listPops(id)), elapsedMs: Math.max(0, elapsedMs), failures });
  return exitCodeOf(progress, options.success);
}

/** Writes the failures file where anything failed; null: nothing did, and there is none. */
async function keepFailures({ options, system, output }: RunContext, { id, counters }: RequestRow): Promise<ToldFailures | null> {
  const path = failuresPath(options.dataDir, id);
  if ((counters.failed ?? 0) === 0) {
    await dropFailures(path);
    return null;
  }
  const { digest, fault } = await writeFailures(path, () => system.pipeline.report(id, 'failed'));
  if (fault !== null) output.note(fault.message);
  return { digest, whereAll: fault === null ? `All failed targets: ${path}` : '', showAll: options.verbose };
}

/** Checks the whole input, then makes the request: nothing is sent before, and nothing is left behind by what was refused. */
async function makeRequest({ options, raw, dataDir, system, output, signal }: RunContext, input: RequestInput): Promise<string> {
  const { store, lists } = system.stores;
  const [unfinished] = await store.listActive();
  if (unfinished !== undefined) {
    throw new InvalidInput([
      inputFault('--data-dir', dataDir.path, 'holds a run that has not ended; add --resume, or name another directory'),
    ]);
  }
  dropRunRecord(dataDir.path);
  const id = randomUUID();
  const { file, skipBad, reading } = options;
  const digest = createHash('sha256');
  const list = await takeList(lists, id, { file, urls: options.urls, domain: input.domain, skipBad, ...reading, signal, digest });
  if (input.invalidate) await unlessAborted(checkInvalidation(options, urlsOf(lists, id)), signal);
  for (const text of describeTaken(list)) output.note(text);
  const asked = { given: input.domain, hosts: list.hosts, field: '--domain' };
  const domain = options.edge.edgeMap === null ? await unlessAborted(findDomain(system.resolver, asked), signal) : input.domain;
  const spec = { ...settleRequest(input, domain, popCatalogue()), agents: options.agents };
  for (const text of describePlaces(spec, input.question, popCatalogue())) output.note(text);
  const digests = { file: file === null ? null : digest.digest('hex'), urls: options.urls.length === 0 ? null : hashUrls(options.urls) };
  saveRunRecord(dataDir.path, { requestId: id, raw, list: digests, isTemporary: dataDir.isTemporary });
  await system.pipeline.accept({ id, spec, urls: list.count });
  return id;
}

async function* urlsOf(lists: ListStore, id: string): AsyncGenerator<string> {
  for await (const { line } of readLines(lists.read(keys.urls(id)))) yield parseUrlLine(line);
}

async function checkInvalidation(
  { invalidationEndpoint, maxInvalidationPaths: maximum }: RunOptions,
  urls: AsyncIterable<string>,
): Promise<void> {
  await checkInvalidationPaths(urls, { maximum, field: '--invalidate', value: '', raise: '--max-invalidation-paths' });
  await checkCanInvalidate(invalidationEndpoint);
}

/** Refuses options of the request that are given again and ask for something else than the run does. */
async function checkAgain({ options, raw, system, signal }: RunContext, { spec, status }: RequestRow): Promise<void> {
  if (options.again === null) return;
  const { options: given, input } = options.again;
  const isNamed = input.domain !== null && options.edge.edgeMap === null;
  const asked = { given: input.domain, hosts: [], field: '--domain' };
  const domain = isNamed ? await unlessAborted(findDomain(system.resolver, asked), signal) : input.domain;
  const again = settleRequest(input, domain ?? spec.domain, popCatalogue());
  checkSameOptions(given, { asked: again, run: spec, raw }, !isEnded(status));
}

/** The request of the interrupted run, its time-out anew. One that had ended is only reported. */
async function resumeRequest(context: RunContext): Promise<string> {
  const { options, dataDir, system, output, signal } = context;
  const { store, timers, lists } = system.stores;
  const record = loadRunRecord(dataDir.path);
  const { requestId } = record;
  const row = await store.get(requestId);
  if (row === null) {
    throw new InvalidInput([
      inputFault('--data-dir', dataDir.path, 'holds a run that was interrupted before it began; run it again from the start'),
    ]);
  }
  await checkAgain(context, row);
  const { file, urls, reading } = options;
  if (file !== null || urls.length > 0) {
    await checkSameList({ file, urls, domain: row.spec.domain, skipBad: true, ...reading, signal }, record, lists);
    output.note(
      `${file === null ? 'the URLs are those' : 'the list is that'} of this run, which ${isEnded(row.status) ? 'has ended' : 'goes on'}`,
    );
  }
  for (const flag of options.ignored) output.note(`${flag} means nothing to a resumed run, and was left out`);
  const provisional = await store.listProvisional(requestId);
  const stoppedAt = Math.max(row.updatedAt, ...provisional.map(({ updatedAt }) => updatedAt));
  noteResume(dataDir.path, { pausedMs: isEnded(row.status) ? 0 : Date.now() - stoppedAt, out: options.out });
  if (isEnded(row.status)) return requestId;
  if (row.spec.timeoutMinutes !== null) {
    const timeoutAt = Date.now() + row.spec.timeoutMinutes * 60_000;
    await store.setTimeoutAt(requestId, timeoutAt);
    await timers.set(requestId, timeoutAt);
  }
  await store.setRequestClaim(requestId, options.agents);
  return requestId;
}
