import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { ReportLinks } from './api-deps.ts';

const LINK_LASTS_MS = 60 * 60_000;

/** Links signed with `secret` over the request's id and the time they end (seconds since the epoch). */
export function createReportLinks(secret: Uint8Array, clock: Pick<Clock, 'now'>): ReportLinks {
  const sign = (id: string, expires: string) => createHmac('sha256', secret).update(`${id} ${expires}`).digest();
  return {
    async linkTo(requestId, origin) {
      const expires = String(Math.ceil((clock.now() + LINK_LASTS_MS) / 1000));
      const token = sign(requestId, expires).toString('base64url');
      return `${origin}/reports/${requestId}?expires=${expires}&token=${token}&outcome=failed`;
    },
    check(requestId, expires, token) {
      const presented = Buffer.from(token, 'base64url');
      const wanted = sign(requestId, expires);
      if (presented.length !== wanted.length || !timingSafeEqual(presented, wanted)) return 'wrong';
      return clock.now() > Number(expires) * 1000 ? 'expired' : null;
    },
  };
}
