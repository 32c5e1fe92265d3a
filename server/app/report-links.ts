import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { ReportLinks } from './api-deps.ts';

const LINK_LASTS_MS = 60 * 60_000;
const OUTCOME = 'failed';

/**
 * Links signed with `secret` over the request's id, the time they end (seconds since the epoch) and the outcome whose rows they
 * show. They end by themselves; all of them end at once with another secret.
 */
export function createReportLinks(secret: Uint8Array, clock: Pick<Clock, 'now'>): ReportLinks {
  const sign = (id: string, expires: string, outcome: string) =>
    createHmac('sha256', secret).update(`${id} ${expires} ${outcome}`).digest();
  return {
    servesReports: true,
    async linkTo(requestId, origin) {
      const expires = String(Math.ceil((clock.now() + LINK_LASTS_MS) / 1000));
      const token = sign(requestId, expires, OUTCOME).toString('base64url');
      return `${origin}/reports/${requestId}?expires=${expires}&token=${token}&outcome=${OUTCOME}`;
    },
    check(requestId, { expires, token, outcome }) {
      const presented = Buffer.from(token, 'base64url');
      const wanted = sign(requestId, expires, outcome);
      if (presented.length !== wanted.length || !timingSafeEqual(presented, wanted)) return 'wrong';
      return clock.now() > Number(expires) * 1000 ? 'expired' : null;
    },
  };
}
