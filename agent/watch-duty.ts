import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentLog } from './agent-log.ts';
import type { InstanceMetadata } from './instance-metadata.ts';

/** The notice of a Spot instance comes two minutes ahead, a scale-in may give less. */
const LOOK_EVERY_MS = 5000;

/**
 * Reads why this instance may not work tasks, in words for people; null: it may.
 * A Spot notice: it is about to be taken. A target state other than InService: its group has it waiting in a warm pool
 * (`Warmed:*`), or is taking it out of service (`Terminated`, `Standby`, `Detached`).
 */
async function readObjection(metadata: InstanceMetadata): Promise<string | null> {
  const [action, state] = await Promise.all([metadata.spotInstanceAction(), metadata.targetLifecycleState()]);
  if (action !== null) return `Spot notice: ${action}`;
  return state === null || state === 'InService' ? null : `target state of the instance: ${state}`;
}

/** Resolves when the instance may work, or the signal is aborted. While the metadata service is silent nobody knows that it may. */
export async function untilOnDuty(metadata: InstanceMetadata, log: AgentLog, signal: AbortSignal): Promise<void> {
  let logged: string | null = null;
  while (!signal.aborted) {
    try {
      const objection = await readObjection(metadata);
      if (objection === null) return;
      if (objection !== logged) log.info({ why: objection }, 'waiting');
      logged = objection;
    } catch (error) {
      log.warn({ err: error }, 'metadata_failed');
    }
    await pause(signal);
  }
}

/**
 * Resolves with the reason when the instance is to work no longer; null: the signal was aborted first.
 *
 * A rebalance recommendation is logged and no more: it says that a notice is likelier than usual, not that one comes. Giving tasks
 * back takes seconds and the notice leaves two minutes, so an agent that worked on has lost nothing, while one that stopped would leave
 * a paid instance idle until the group has replaced it. When the group does so, the target state or SIGTERM says so.
 */
export async function untilOffDuty(metadata: InstanceMetadata, log: AgentLog, signal: AbortSignal): Promise<string | null> {
  let isSilent = false;
  let isRecommended = false;
  while (!signal.aborted) {
    try {
      const objection = await readObjection(metadata);
      if (objection !== null) return objection;
      isSilent = false;
      if (!isRecommended && (await metadata.rebalanceRecommendation()) !== null) {
        isRecommended = true;
        log.info({}, 'rebalance_recommended');
      }
    } catch (error) {
      // SIGTERM still comes where no notice can be read.
      if (!isSilent) log.warn({ err: error }, 'metadata_failed');
      isSilent = true;
    }
    await pause(signal);
  }
  return null;
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
