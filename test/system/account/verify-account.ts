import { setTimeout as sleep } from 'node:timers/promises';
import type { DeployedAccount } from './deployed-account.ts';

/** What was looked at, and what was seen. */
export interface Verdict {
  readonly what: string;
  readonly holds: boolean;
  readonly seen: string;
}

export interface Warming {
  readonly urls: readonly string[];
  readonly pops: readonly string[];
  /** For one request, the first instance's start included. */
  readonly withinMs: number;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

type Ask = (path: string, options?: { readonly key?: string | null; readonly body?: unknown }) => Promise<Answer>;

const ASK_EVERY_MS = 2000;
const ANSWERS_WITHIN_MS = 35_000;
const ENDED = ['FINISHED', 'STOPPED', 'TIMEOUT', 'FAILED'];

function createAsk({ url, key: own }: DeployedAccount): Ask {
  return async (path, { key = own, body } = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...(key === null ? {} : { 'x-api-key': key }), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: readJson(text) };
  };
}

function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return { text: text.slice(0, 200) };
  }
}

const shown = ({ status, body }: Answer) => `${status} ${JSON.stringify(body).slice(0, 300)}`;

/** What costs next to nothing: it asks the API, and makes no request. */
async function* verifyApi(ask: Ask): AsyncGenerator<Verdict> {
  const judge = (what: string, answer: Answer, holds: boolean): Verdict => ({ what, holds, seen: shown(answer) });
  const health = await ask('/healthz', { key: null });
  yield judge('GET /healthz answers without a key, and tables can be read', health, health.status === 200);
  for (const [what, key] of [
    ['no key', null],
    ['a wrong key', 'x'.repeat(40)],
  ] as const) {
    const refused = await ask('/requests?limit=1', { key });
    yield judge(`${what} is refused with 403 in JSON`, refused, refused.status === 403 && refused.body['message'] === 'Forbidden');
  }
  const list = await ask('/requests?limit=1');
  yield judge('the key of the outputs opens the API', list, list.status === 200 && Array.isArray(list.body['requests']));
  yield judge('answers are kept by nobody on the way', list, list.headers.get('cache-control') === 'no-store');
  const fleet = await ask('/instances');
  yield judge('Auto Scaling tells of the group', fleet, fleet.status === 200);
  const refused = await ask('/prewarm', { body: { url_list: [], pops: ['nowhere'] } });
  yield judge('a body that is wrong is refused with 400', refused, refused.status === 400);
}

async function untilEnded(ask: Ask, id: string, withinMs: number): Promise<Answer> {
  const until = Date.now() + withinMs;
  for (;;) {
    const answer = await ask(`/prewarm?req_id=${id}`);
    if (ENDED.includes(String(answer.body['status'])) || Date.now() > until) return answer;
    await sleep(ASK_EVERY_MS);
  }
}

/** Warms a few URLs twice: the second time, all of them are there. Costs an instance for some minutes. */
async function* verifyWarming(ask: Ask, { urls, pops, withinMs }: Warming): AsyncGenerator<Verdict> {
  const total = urls.length * pops.length;
  for (const what of ['URLs are warmed through the POPs', 'the same URLs are there the second time']) {
    const made = await ask('/prewarm', { body: { url_list: urls, pops } });
    const id = made.body['request_id'];
    if (made.status !== 200 || typeof id !== 'string') {
      yield { what, holds: false, seen: shown(made) };
      return;
    }
    const { body } = await untilEnded(ask, id, withinMs);
    const [warmed, there] = [Number(body['warmed_count']), Number(body['already_warm_count'])];
    const isSecond = what.endsWith('second time');
    const holds = body['status'] === 'FINISHED' && (isSecond ? there : warmed + there) === total;
    const reason = typeof body['status_reason'] === 'string' ? `, ${body['status_reason']}` : '';
    yield { what, holds, seen: `${id}: ${String(body['status'])}${reason}, ${warmed} warmed and ${there} there of ${total}` };
  }
}

/** Looks at a deployed stack from outside, one thing after another. Without URLs nothing is warmed. */
export async function* verifyAccount(account: DeployedAccount, warming: Warming | null): AsyncGenerator<Verdict> {
  const ask = createAsk(account);
  yield* verifyApi(ask);
  if (warming !== null) yield* verifyWarming(ask, warming);
}
