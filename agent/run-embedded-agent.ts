import { createHolder } from '../adapters/embedded/holder.ts';
import { openEmbeddedStores } from '../adapters/embedded/embedded-stores.ts';
import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { systemClock } from '../core/clock.ts';
import { PrewarmError } from '../core/errors.ts';
import type { Downloader } from '../core/ports/downloader.ts';
import { createAgent } from '../core/work/agent.ts';
import { popCatalogue } from '../data/catalogue.ts';
import { type EmbeddedAgentConfig, loadEmbeddedAgentConfig } from './agent-config.ts';
import { createLoadMeter } from './load-meter.ts';

/** A receive must not keep a stopping agent waiting; the queue is a file on this machine, so asking often costs little. */
const RECEIVE_WAIT_MS = 200;

/** Sends the parent the reason why this agent cannot go on, and ends. */
function giveUp(error: unknown): void {
  process.exitCode = 1;
  const { code, message } = error instanceof PrewarmError ? error : { code: 'storage', message: String(error) };
  const isParentsMatter = code === 'storage_full' || code === 'storage';
  if (!(error instanceof PrewarmError)) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  if (error instanceof PrewarmError && isParentsMatter && process.send)
    process.send({ type: 'fatal', code, message }, () => process.exit(1));
  else process.exit(1);
}

/** Works the tasks of a data directory until SIGTERM or the parent's end. `makeDownloader` is for tests of the proof itself. */
export async function runEmbeddedAgent(makeDownloader: (config: EmbeddedAgentConfig) => Downloader = makeUndici): Promise<void> {
  // SQLite makes its log and shared memory anew, with what the umask leaves.
  process.umask(0o077);
  const config = loadEmbeddedAgentConfig(process.env);
  const agentId = createHolder();
  const stores = openEmbeddedStores(config.dataDir, systemClock, { holder: agentId, leaseMs: config.leaseMs });
  const downloader = makeDownloader(config);
  const agent = createAgent(
    { ...stores, viewerHeaders: null, downloader, clock: systemClock, sameCity: (a, b) => popCatalogue().sameCity(a, b) },
    {
      agentId,
      leaseMs: config.leaseMs,
      beatMs: config.beatMs,
      receiveWaitMs: RECEIVE_WAIT_MS,
      concurrency: config.concurrency,
      random: Math.random,
      load: createLoadMeter(),
    },
  );
  const leave = () => {
    agent.stop().then(() => process.exit(0), giveUp);
  };
  process.on('SIGTERM', leave);
  // Ctrl-C and a terminal that goes away reach the whole process group; the parent decides what they mean.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('disconnect', leave);
  agent.run().catch(giveUp);
  // A parent that ended while this process was still loading has sent no message.
  if (process.send !== undefined && !process.connected) leave();
}

function makeUndici({ allowPrivateAddresses, ca }: EmbeddedAgentConfig): Downloader {
  return createUndiciDownloader({ allowPrivateAddresses, ca });
}
