import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { PrewarmError } from '../core/errors.ts';

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
