import type { OperatorClaim } from '../ports/request-store.ts';

/** How long an operator's claim lasts from when it was made. */
export const OPERATOR_CLAIM_LASTS_MS = 60 * 60_000;
/** Clocks of different machines differ by less. */
const CLOCKS_DIFFER_MS = 60_000;

/**
 * How many agents the operator claims now. A claim that would last for longer than an hour from now was not made by the API, which makes
 * no such claims: it counts for nothing, so that no row can hold the fleet up for good.
 */
export function operatorAgents(claim: OperatorClaim | null, now: number): number {
  if (claim === null || claim.lapsesAt <= now) return 0;
  return claim.lapsesAt <= now + OPERATOR_CLAIM_LASTS_MS + CLOCKS_DIFFER_MS ? claim.agents : 0;
}

/** Whether the operator's claim was made, changed or taken back within the last `ms`, or has lapsed within them. */
export function changedLately(claim: OperatorClaim | null, ms: number, now: number): boolean {
  if (claim === null) return false;
  const changes = [claim.lapsesAt - OPERATOR_CLAIM_LASTS_MS, claim.lapsesAt];
  return changes.some((at) => at <= now + CLOCKS_DIFFER_MS && at > now - ms);
}
