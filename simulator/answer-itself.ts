import { type AnswerHeaders, type Exchange, popHeaders } from './exchange.ts';
import { type Fault, faultOf } from './fault-rules.ts';

/** What a POP answers by itself. */
interface OwnAnswer {
  readonly status: number;
  /** The first word of `x-cache`. */
  readonly xCache: string;
  readonly headers?: AnswerHeaders;
  /** HTML. Default: the status from 400 on, else nothing. */
  readonly page?: string;
}

const ERROR_PAGE = '<!doctype html><title>Sorry</title><p>Something went wrong. Please come back later.</p>\n';
const CHALLENGE_PAGE = '<!doctype html><title></title><script src="/challenge.js"></script><noscript>JavaScript is disabled.</noscript>\n';

/** An answer of the POP itself, which no cache ever sees. */
export function answerItself(exchange: Exchange, { status, xCache, headers = {}, page }: OwnAnswer): void {
  const { res, req, traffic } = exchange;
  const body = Buffer.from(page ?? (status < 400 ? '' : `${status}\n`));
  const type = page === undefined ? 'text/plain' : 'text/html';
  if (status >= 400) traffic.errors++;
  res.writeHead(status, { ...popHeaders(exchange, xCache), 'content-type': type, 'content-length': body.length, ...headers });
  if (req.method !== 'HEAD') traffic.bodyBytes += body.length;
  res.end(req.method === 'HEAD' ? undefined : body);
}

function answerOf(faults: readonly Fault[]): OwnAnswer | null {
  const status = faultOf(faults, 'status');
  if (status !== undefined) {
    const xCache = status.xCache?.replace(/ from cloudfront$/, '') ?? (status.status < 400 ? 'Miss' : 'Error');
    return { status: status.status, xCache, headers: status.location === undefined ? {} : { location: status.location } };
  }
  const generated = faultOf(faults, 'generated');
  if (generated !== undefined) {
    return { status: 200, xCache: generated.by === 'function' ? 'FunctionGeneratedResponse' : 'LambdaGeneratedResponse' };
  }
  const challenge = faultOf(faults, 'challenge');
  if (challenge !== undefined) {
    const headers = { 'x-amzn-waf-action': challenge.action, 'cache-control': 'no-store' };
    return { status: challenge.action === 'captcha' ? 405 : 202, xCache: 'Error', headers, page: CHALLENGE_PAGE };
  }
  const errorPage = faultOf(faults, 'error-page');
  return errorPage === undefined ? null : { status: errorPage.status ?? 200, xCache: 'Error', page: ERROR_PAGE };
}

/** Answers as a fault says. True: the answer is given, or never will be; false: no fault answers. */
export function answerByFault(exchange: Exchange): boolean {
  const { faults, connection } = exchange;
  if (faultOf(faults, 'reset') !== undefined) {
    connection.raw.resetAndDestroy();
    return true;
  }
  if (faultOf(faults, 'stall')?.at === 'headers') return true;
  const answer = answerOf(faults);
  if (answer !== null) answerItself(exchange, answer);
  return answer !== null;
}
