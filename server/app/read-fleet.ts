import type { z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../core/clock.ts';
import { type AgentView, viewFleet } from '../../core/report/fleet-view.ts';
import { operatorAgents } from '../../core/request/operator-claim.ts';
import type { instancesDetailSchema } from './answer-schemas.ts';
import type { ApiDeps } from './api-deps.ts';
import { mayKnow } from './find-request.ts';
import { remember } from './remember.ts';

/** Auto Scaling takes few calls a second of an account, and dashboards poll. */
const INSPECTION_LASTS_MS = 5000;

export type InstancesDetail = z.input<typeof instancesDetailSchema>;

const BYTES_PER_MB = 1e6;
const twoDecimals = (value: number) => Math.round(value * 100) / 100;
const timestampOf = (at: number | null) => (at === null ? null : formatTimestamp(at));

function describeAgent(agent: AgentView): InstancesDetail['agents'][number] {
  return {
    agent_id: agent.id,
    instance_id: agent.instanceId,
    state: agent.state,
    type: agent.type,
    zone: agent.zone,
    since: timestampOf(agent.since),
    in_flight: agent.inFlight,
    targets_per_second: twoDecimals(agent.targetsPerSecond),
    mb_per_second: twoDecimals(agent.bytesPerSecond / BYTES_PER_MB),
    last_heartbeat: timestampOf(agent.lastHeartbeat),
  };
}

/** The fleet as `GET /instances?detail=1` shows it to a key, which sees the claims of those requests that it may know of. */
export function createReadFleet(deps: ApiDeps): (keyName: string) => Promise<InstancesDetail> {
  const { store, fleet, clock } = deps;
  const inspect = remember(clock, INSPECTION_LASTS_MS, () => fleet.inspect());

  return async (keyName) => {
    const [inspection, active, operator] = await Promise.all([inspect(), store.listActive(), store.getOperatorClaim()]);
    const figures = (await Promise.all(active.map(({ id }) => store.listProvisional(id)))).flat();
    const now = clock.now();
    const { running, pending, agents } = viewFleet(inspection, figures, now);
    const claimed = operatorAgents(operator, now);
    const failed = inspection.lastFailedActivity;
    return {
      status: 'success',
      timestamp: formatTimestamp(now),
      message: 'query success',
      desiredcapacity: inspection.capacity,
      maximum: fleet.maximum,
      in_service: running,
      pending,
      warm_pool: null,
      on_demand: inspection.onDemand,
      claims: {
        operator: operator === null || claimed === 0 ? null : { agents: claimed, lapses_at: formatTimestamp(operator.lapsesAt) },
        requests: active.filter((row) => mayKnow(deps, row, keyName)).map(({ id, agents: claim }) => ({ request_id: id, agents: claim })),
      },
      last_failed_activity: failed === null ? null : { at: formatTimestamp(failed.at), message: failed.message },
      agents: agents.map(describeAgent),
    };
  };
}
