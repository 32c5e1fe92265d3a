/** What goes wrong. Several at once apply together. */
export type Fault =
  /** Added to the first byte. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Answered by the POP itself, nothing cached. `xCache` replaces `Error from cloudfront` (below 400: `Miss from cloudfront`). */
  | { readonly kind: 'status'; readonly status: number; readonly location?: string; readonly xCache?: string }
  /** Silence for ever: before the headers, or after them and `afterBytes` (default 0) of the body. */
  | { readonly kind: 'stall'; readonly at: 'headers' | 'body'; readonly afterBytes?: number }
  /** The connection ends after so many bytes (at most the last but one) of the body. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** `x-amz-cf-pop` names this POP, or several in lines of their own. */
  | { readonly kind: 'wrong-pop'; readonly pop: string | readonly string[] }
  | { readonly kind: 'no-x-cache' }
  /** Answered by code at the edge, nothing cached. */
  | { readonly kind: 'generated'; readonly by: 'function' | 'lambda' }
  /** A custom error page in place of the object: it reads `Error from cloudfront`, with this status (default 200). Nothing is cached. */
  | { readonly kind: 'error-page'; readonly status?: number }
  /** AWS WAF answers in place of the object: 202 with a script, or 405 with a captcha. */
  | { readonly kind: 'challenge'; readonly action: 'challenge' | 'captcha' }
  /** `x-cache` in these lines. */
  | { readonly kind: 'x-cache'; readonly lines: readonly string[] }
  /** `Server-Timing` in these words, whoever asks. */
  | { readonly kind: 'server-timing'; readonly value: string }
  /** A whole GET is answered with a part, as 206: all but the last byte. */
  | { readonly kind: 'unasked-part' }
  /** Ranges speak of an object of so many bytes. */
  | { readonly kind: 'range-total'; readonly bytes: number }
  /** RST instead of an answer. */
  | { readonly kind: 'reset' }
  /** The address is gone: its ports are closed, or accept and stay silent. Needs no path; `after` and `times` do not apply to `refuses`. */
  | { readonly kind: 'dead'; readonly how: 'refuses' | 'silent' }
  /** The cache is never asked. */
  | { readonly kind: 'never-hit' }
  /** The cache is never filled. */
  | { readonly kind: 'never-store' }
  /** Connections get a certificate for another name. */
  | { readonly kind: 'wrong-certificate' }
  /** The body comes at this rate. */
  | { readonly kind: 'trickle'; readonly bytesPerSecond: number };

/** Which requests (or connections) a fault hits; an empty match hits all. */
export interface FaultMatch {
  readonly pop?: string;
  /** `ip:port`, by either of its ports, or the ip alone where each address has its own. */
  readonly address?: string;
  /** Path with query string; a `*` at the end matches any rest. */
  readonly path?: string;
  readonly method?: 'GET' | 'HEAD';
  /** Leaves so many matching requests alone first. */
  readonly after?: number;
  /** Hits so many requests only. */
  readonly times?: number;
}

/** One address of a POP as faults name it. */
export interface FaultPlace {
  readonly pop: string;
  readonly ip: string;
  /** https. */
  readonly port: number;
  readonly httpPort: number;
}

interface Rule {
  readonly match: FaultMatch;
  readonly fault: Fault;
  seen: number;
}

export interface FaultRules {
  add(match: FaultMatch, fault: Fault): () => void;
  /** What applies to this request; counts it. */
  forRequest(place: FaultPlace, path: string, method: string): readonly Fault[];
  /** What applies to this connection; counts it. */
  forConnection(place: FaultPlace): readonly Fault[];
  /** Whether the place's ports are to be closed now. */
  refuses(place: FaultPlace): boolean;
}

const NONE: readonly Fault[] = [];

/** Whether the fault meets connections rather than requests. */
export function isConnectionFault({ kind }: Fault): boolean {
  return kind === 'dead' || kind === 'wrong-certificate';
}

export function matchesPlace({ pop, address }: FaultMatch, place: FaultPlace): boolean {
  if (pop !== undefined && pop !== place.pop) return false;
  const { ip, port, httpPort } = place;
  return address === undefined || address === ip || address === `${ip}:${port}` || address === `${ip}:${httpPort}`;
}

function matchesPath(wanted: string | undefined, path: string): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith('*') ? path.startsWith(wanted.slice(0, -1)) : path === wanted;
}

function strikes(rule: Rule): boolean {
  const { after = 0, times = Number.POSITIVE_INFINITY } = rule.match;
  rule.seen++;
  return rule.seen > after && rule.seen <= after + times;
}

/** The part of `faults` of one kind, the one set first. */
export function faultOf<K extends Fault['kind']>(faults: readonly Fault[], kind: K): Extract<Fault, { kind: K }> | undefined {
  return faults.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);
}

export function createFaultRules(): FaultRules {
  const requestRules = new Set<Rule>();
  const connectionRules = new Set<Rule>();
  return {
    add(match, fault) {
      const rules = isConnectionFault(fault) ? connectionRules : requestRules;
      const rule: Rule = { match, fault, seen: 0 };
      rules.add(rule);
      return () => void rules.delete(rule);
    },
    forRequest(place, path, method) {
      if (requestRules.size === 0) return NONE;
      const faults: Fault[] = [];
      for (const rule of requestRules) {
        const { match } = rule;
        if (!matchesPlace(match, place) || !matchesPath(match.path, path)) continue;
        if ((match.method === undefined || match.method === method) && strikes(rule)) faults.push(rule.fault);
      }
      return faults;
    },
    forConnection(place) {
      if (connectionRules.size === 0) return NONE;
      return [...connectionRules].filter((rule) => matchesPlace(rule.match, place) && strikes(rule)).map(({ fault }) => fault);
    },
    refuses(place) {
      return [...connectionRules].some(
        ({ match, fault }) => fault.kind === 'dead' && fault.how === 'refuses' && matchesPlace(match, place),
      );
    },
  };
}
