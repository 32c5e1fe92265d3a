import { OPERATOR_CLAIM_LASTS_MS, operatorAgents } from '../request/operator-claim.ts';
import type { PipelinePorts } from '../ports/ports.ts';

/** Claims that change more often than this within one call are corrected by whoever changed them last. */
const MAX_ROUNDS = 10;

interface ClaimReading {
  readonly store: Pick<PipelinePorts['store'], 'listActive' | 'getOperatorClaim'>;
  readonly fleet: Pick<PipelinePorts['fleet'], 'maximum'>;
  readonly clock: Pick<PipelinePorts['clock'], 'now'>;
}

/**
 * Setting the capacity has no condition, so a stale call cannot be prevented, only corrected: read the claims again after
 * setting, until they agree. Whoever changes a claim calls this. Returns the capacity.
 */
export async function reconcileFleet(ports: Pick<PipelinePorts, 'store' | 'fleet' | 'clock'>): Promise<number> {
  let wanted = await claimed(ports);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if ((await ports.fleet.getCapacity()) !== wanted) await ports.fleet.setCapacity(wanted);
    const now = await claimed(ports);
    if (now === wanted) break;
    wanted = now;
  }
  return wanted;
}

async function claimed({ store, fleet, clock }: Pick<PipelinePorts, 'store' | 'fleet' | 'clock'>): Promise<number> {
  const [active, operator] = await Promise.all([store.listActive(), store.getOperatorClaim()]);
  let agents = operatorAgents(operator, clock.now());
  for (const row of active) agents += row.agents;
  return Math.min(fleet.maximum, agents);
}

/** How many agents have been claimed since before `at`, at most the fleet's maximum. A claim that was changed counts from its beginning. */
export async function claimedSince({ store, fleet, clock }: ClaimReading, at: number): Promise<number> {
  const [active, operator] = await Promise.all([store.listActive(), store.getOperatorClaim()]);
  const isOld = operator !== null && operator.lapsesAt - OPERATOR_CLAIM_LASTS_MS < at;
  let agents = isOld ? operatorAgents(operator, clock.now()) : 0;
  for (const row of active) if (row.createdAt < at) agents += row.agents;
  return Math.min(fleet.maximum, agents);
}
