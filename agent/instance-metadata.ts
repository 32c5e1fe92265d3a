import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrewarmError } from '../core/errors.ts';
import type { AgentLog } from './agent-log.ts';

/** What an EC2 instance can learn about itself. Every method throws PrewarmError `api_failed` when the service does not answer. */
export interface InstanceMetadata {
  instanceId(): Promise<string>;
  /** `{"action":"terminate","time":"..."}`, from two minutes before a Spot instance is taken; null until then. */
  spotInstanceAction(): Promise<string | null>;
  /** `{"noticeTime":"..."}`, once the instance is at a higher risk of being taken; null until then. */
  rebalanceRecommendation(): Promise<string | null>;
  /** Where its group wants the instance: `InService`, `Warmed:Stopped`, `Terminated` ...; null: it is in none, or the service does not know yet. */
  targetLifecycleState(): Promise<string | null>;
}

interface MetadataAnswer {
  readonly status: number;
  readonly text: string;
}

const TIMEOUT_MS = 1000;
const TOKEN_SECONDS = 21_600;
/** A token is renewed this long before it lapses. */
const TOKEN_MARGIN_MS = 300_000;

function ask(url: URL, method: 'GET' | 'PUT', headers: Readonly<Record<string, string>>): Promise<MetadataAnswer> {
  return new Promise((resolve, reject) => {
    // No kept connection: the next question comes seconds later, and a stale socket would fail it.
    const asked = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Asks the instance metadata service, version 2 only (a token first). `endpoint` is its base URL. */
export function createInstanceMetadata(endpoint: string): InstanceMetadata {
  let token: { readonly text: string; readonly lapsesAt: number } | null = null;

  async function askOrFail(path: string, method: 'GET' | 'PUT', headers: Readonly<Record<string, string>>): Promise<MetadataAnswer> {
    try {
      return await ask(new URL(path, endpoint), method, headers);
    } catch (error) {
      throw new PrewarmError('api_failed', `the instance metadata service did not answer ${path}`, { cause: error });
    }
  }

  async function takeToken(): Promise<string> {
    if (token !== null && token.lapsesAt > performance.now()) return token.text;
    const path = '/latest/api/token';
    const { status, text } = await askOrFail(path, 'PUT', { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) });
    if (status !== 200) throw refusal(path, status);
    token = { text, lapsesAt: performance.now() + TOKEN_SECONDS * 1000 - TOKEN_MARGIN_MS };
    return text;
  }

  async function read(name: string): Promise<string | null> {
    const path = `/latest/meta-data/${name}`;
    for (let tries = 1; ; tries++) {
      const { status, text } = await askOrFail(path, 'GET', { 'x-aws-ec2-metadata-token': await takeToken() });
      if (status === 200) return text.trim();
      if (status === 404) return null;
      // The service may forget its tokens; a fresh one shows whether that was the reason.
      if (status !== 401 || tries > 1) throw refusal(path, status);
      token = null;
    }
  }

  return {
    async instanceId() {
      const id = await read('instance-id');
      if (id === null || id === '') throw new PrewarmError('api_failed', 'the instance metadata service names no instance');
      return id;
    },
    spotInstanceAction: () => read('spot/instance-action'),
    rebalanceRecommendation: () => read('events/recommendations/rebalance'),
    targetLifecycleState: () => read('autoscaling/target-lifecycle-state'),
  };
}

function refusal(path: string, status: number): PrewarmError {
  return new PrewarmError('api_failed', `the instance metadata service answered ${status} to ${path}`);
}

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
