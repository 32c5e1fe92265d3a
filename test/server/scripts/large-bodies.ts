import { readFileSync } from 'node:fs';
import { requestBodySchema } from '../../../core/request/request-body.ts';
import { fillBody } from '../large-body.ts';

const FIELDS = [...Object.keys(requestBodySchema.shape), 'cities', 'field that nobody knows'];
/** What a list may hold instead of what it should; `pad` is white space of some kind. */
const ELEMENTS: readonly ((at: number, pad: string) => unknown)[] = [
  () => null,
  () => true,
  (at) => at,
  () => 1e300,
  () => [],
  () => ({}),
  (at) => ({ [`name ${at}`]: at }),
  () => '',
  (_, pad) => pad,
  (at, pad) => `x${pad}${at}`,
  (at, pad) => `XX${at}${pad}`,
  (at, pad) => `${pad}AAA${at}-P1`,
  (at, pad) => `sin2-p1${at % 2 === 0 ? pad : ''}`,
  (at, pad) => `atlantis ${at}${pad}`,
  (at, pad) => `X-Header-${at}: ${pad}value`,
  (at, pad) => `https://d111111abcdef8.cloudfront.net/${at}${pad}`,
  (at, pad) => `https://d111111abcdef8.cloudfront.net/${at}${pad}https://d111111abcdef8.cloudfront.net/b`,
  (at, pad) => `http:${pad}//www.example.com/${at}`,
  (at) => `https://${'a.'.repeat(60)}example.com/${at}`,
  (at) => `https://xn--${'a'.repeat(at % 5000)}.example.com/`,
  (at) => `https://www.example.com/${'%'.repeat(at % 10_000)}`,
];
const BLANKS = [' ', '\t', '\u00a0', '\u200b', '\u2028', '\u0000', '"', '\\', ' \\"'];
const RESTS = [
  '',
  '"url_list":["https://d111111abcdef8.cloudfront.net/a"]',
  '"url_list":["https://d111111abcdef8.cloudfront.net/a"],"pops":["SIN2-P1"]',
  '"cf_domain":"d111111abcdef8.cloudfront.net"',
  '"cf_domain":"d111111abcdef8.cloudfront.net","target_type":"pop"',
];

/** Numbers from 0 to below 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface LargeBody {
  readonly what: string;
  readonly body: string;
}

function makeBody(random: () => number): LargeBody {
  const below = (limit: number) => Math.floor(random() * limit);
  const field = FIELDS[below(FIELDS.length)] ?? '';
  const kind = below(ELEMENTS.length);
  const element = ELEMENTS[kind] ?? (() => null);
  const blank = BLANKS[below(BLANKS.length)] ?? '';
  const pad = blank.repeat(Math.floor(10 ** (random() * 6)) - 1);
  const rest = RESTS[below(RESTS.length)] ?? '';
  const text = (at: number) => JSON.stringify(element(at, pad));
  const what = `${field}: elements of kind ${kind}, ${pad.length} characters ${JSON.stringify(blank)} in each, beside {${rest}}`;
  return { what, body: fillBody(field, text, rest) };
}

export interface LargeBodiesOptions {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
  readonly seed: number;
  /** No body is begun after so long. */
  readonly ms: number;
}

const ANSWERED_WITHIN_MS = 10_000;
const MOST_RESIDENT_KB = 450 * 1024;
const ANSWERS: ReadonlySet<number> = new Set([200, 400, 413]);

/** Sends bodies of 5 MiB to `POST /prewarm` one after the other; returns what was wrong with the answers. */
export async function fuzzLargeBodies({ url, key, pid, seed, ms }: LargeBodiesOptions): Promise<readonly string[]> {
  const random = randomFrom(seed);
  const headers = { 'x-api-key': key };
  const faults: string[] = [];
  const end = performance.now() + ms;
  let sent = 0;
  let slowest = 0;
  for (; performance.now() < end; sent++) {
    const { what, body } = makeBody(random);
    const start = performance.now();
    try {
      const answer = await fetch(`${url}/prewarm`, { method: 'POST', headers, body, signal: AbortSignal.timeout(ANSWERED_WITHIN_MS) });
      const { request_id: id } = (await answer.json()) as { readonly request_id?: string };
      if (!ANSWERS.has(answer.status)) faults.push(`${answer.status}: ${what}`);
      if (id !== undefined) await fetch(`${url}/prewarm?req_id=${id}`, { method: 'DELETE', headers });
    } catch (error) {
      faults.push(`${String(error)}: ${what}`);
    }
    slowest = Math.max(slowest, performance.now() - start);
    if (faults.length >= 10) break;
  }
  const resident = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  if (!(resident < MOST_RESIDENT_KB)) faults.push(`the server took ${resident} kB`);
  process.stdout.write(
    `${sent} bodies of 5 MiB, seed ${seed}: slowest ${Math.round(slowest)} ms, at most ${Math.round(resident / 1024)} MB\n`,
  );
  return faults;
}
