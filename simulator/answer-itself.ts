import { type AnswerHeaders, type Exchange, popHeaders } from './exchange.ts';
import { faultOf } from './fault-rules.ts';

/** An answer of the POP itself, which no cache ever sees. */
export function answerItself(exchange: Exchange, status: number, xCache: string, extra: AnswerHeaders = {}): void {
  const { res, req, traffic } = exchange;
  const body = Buffer.from(status < 400 ? '' : `${status}\n`);
  if (status >= 400) traffic.errors++;
  res.writeHead(status, { ...popHeaders(exchange, xCache), 'content-type': 'text/plain', 'content-length': body.length, ...extra });
  if (req.method !== 'HEAD') traffic.bodyBytes += body.length;
  res.end(req.method === 'HEAD' ? undefined : body);
}

/** Answers as a fault says. True: the answer is given, or never will be; false: no fault answers. */
export function answerByFault(exchange: Exchange): boolean {
  const { faults, connection } = exchange;
  const status = faultOf(faults, 'status');
  const generated = faultOf(faults, 'generated');
  const challenge = faultOf(faults, 'challenge');
  const stall = faultOf(faults, 'stall');
  if (faultOf(faults, 'reset') !== undefined) connection.raw.resetAndDestroy();
  else if (stall?.at === 'headers') return true;
  else if (status !== undefined) {
    const xCache = status.xCache?.replace(/ from cloudfront$/, '') ?? (status.status < 400 ? 'Miss' : 'Error');
    answerItself(exchange, status.status, xCache, status.location === undefined ? {} : { location: status.location });
  } else if (generated !== undefined) {
    answerItself(exchange, 200, generated.by === 'function' ? 'FunctionGeneratedResponse' : 'LambdaGeneratedResponse');
  } else if (challenge !== undefined) {
    answerItself(exchange, challenge.action === 'captcha' ? 405 : 202, 'Error', {
      'x-amzn-waf-action': challenge.action,
      'cache-control': 'no-store',
    });
  } else return false;
  return true;
}
