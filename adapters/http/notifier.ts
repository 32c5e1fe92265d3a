import { lookup as lookUpHost } from 'node:dns';
import { request as askHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { isPublicAddress } from '../../core/pops/address-policy.ts';
import packageJson from '../../package.json' with { type: 'json' };

export interface NotifierOptions {
  /** Lets URLs lead to addresses that are private or reserved. */
  readonly allowPrivateAddresses: boolean;
  /** Roots (PEM) that are trusted beside the well-known ones. */
  readonly ca?: string | null;
  /** For one try, from connecting to the answer. Default 10,000. */
  readonly timeoutMs?: number;
  /** Before the second try; each further pause is four times as long. Default 1,000. */
  readonly firstPauseMs?: number;
}

/** `fault` names the host, and never the path or query: they may hold a secret. */
type Notified = { readonly told: true } | { readonly told: false; readonly fault: string };

/** Posts JSON to addresses that users name. That it cannot be told is an outcome, never a rejection. */
export interface Notifier {
  /** At most 3 tries; an aborted `signal` ends them. */
  post(url: string, body: unknown, signal?: AbortSignal): Promise<Notified>;
}

const TRIES = 3;
const TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const PAUSE_FACTOR = 4;
const REFUSED = 'PREWARM_ADDRESS_REFUSED';

function refusal(host: string): Error {
  return Object.assign(new Error(`${host} has private or reserved addresses only`), { code: REFUSED });
}

/** Connections go to the very addresses that were judged: a name that is looked up twice may have changed in between. */
const lookUpPublic: LookupFunction = (host, options, done) => {
  lookUpHost(host, { ...options, all: true }, (error, found) => {
    if (error !== null) return done(error, '');
    const allowed = found.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (first === undefined) return done(refusal(host), '');
    if (options.all === true) done(null, allowed);
    else done(null, first.address, first.family);
  });
};

/** Status of the answer. Redirects are not followed: they could lead anywhere. */
function send(url: URL, text: string, options: NotifierOptions, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // An address is connected to without a lookup.
  if (!options.allowPrivateAddresses && isIP(host) !== 0 && !isPublicAddress(host)) throw refusal(host);
  const request = askHttps(
    url,
    {
      method: 'POST',
      agent: false,
      signal,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'user-agent': `cloudfront-prewarm/${packageJson.version}`,
      },
      ...(options.ca ? { ca: [...rootCertificates, options.ca] } : {}),
      ...(options.allowPrivateAddresses ? {} : { lookup: lookUpPublic }),
    },
    (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    },
  );
  request.on('error', reject);
  request.end(text);
  return promise;
}

const isOk = (status: number) => status >= 200 && status <= 299;
const mayPass = (status: number) => status === 408 || status === 429 || status >= 500;

async function tryOnce(url: URL, text: string, options: NotifierOptions, stop: AbortSignal): Promise<Notified & { again?: boolean }> {
  try {
    const status = await send(url, text, options, AbortSignal.any([stop, AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)]));
    if (isOk(status)) return { told: true };
    return { told: false, fault: `${url.host} answered ${status}`, again: mayPass(status) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const said = code === 'ABORT_ERR' ? 'no answer in time' : message;
    return { told: false, fault: `${url.host}: ${said}`, again: code !== REFUSED };
  }
}

export function createNotifier(options: NotifierOptions): Notifier {
  return {
    async post(address, body, signal) {
      const stop = signal ?? new AbortController().signal;
      const url = new URL(address);
      if (url.protocol !== 'https:') return { told: false, fault: `${url.host} is not asked by https` };
      const text = JSON.stringify(body);
      for (let tried = 1; ; tried++) {
        const { again = false, ...outcome } = await tryOnce(url, text, options, stop);
        if (!again || tried === TRIES || stop.aborted) return outcome;
        await pause((options.firstPauseMs ?? FIRST_PAUSE_MS) * PAUSE_FACTOR ** (tried - 1), undefined, { signal: stop }).catch(() => {
          // Aborted: the try that follows ends at once.
        });
      }
    },
  };
}
