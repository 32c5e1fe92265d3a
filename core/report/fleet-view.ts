import type { FleetInspection, FleetMember } from '../ports/fleet.ts';
import { PROVISIONAL_LASTS_MS, type Provisional, SIZER_ID } from '../ports/request-store.ts';

/** An agent, as whoever runs the fleet sees it. */
export interface AgentView {
  readonly id: string;
  readonly instanceId: string | null;
  readonly state: 'idle' | 'working' | 'leaving';
  readonly type: string | null;
  readonly zone: string | null;
  readonly since: number | null;
  /** Asks in flight, of all requests. */
  readonly inFlight: number;
  readonly targetsPerSecond: number;
  readonly bytesPerSecond: number;
  /** When it last told of its work; null: it has none, or has not told of it yet. */
  readonly lastHeartbeat: number | null;
}

/** Agents that are up, agents that are coming up, and what each of the first does. */
export interface FleetView {
  readonly running: number;
  readonly pending: number;
  /** Those on their way out included. */
  readonly agents: readonly AgentView[];
}

/** The fleet's members, with what the agents on them tell in their figures of each request. */
export function viewFleet({ members }: FleetInspection, figures: readonly Provisional[], now: number): FleetView {
  const byMember = new Map<string, Provisional[]>();
  for (const row of figures) {
    if (row.agentId === SIZER_ID || now - row.updatedAt > PROVISIONAL_LASTS_MS) continue;
    const id = memberIdOf(row.agentId);
    byMember.set(id, [...(byMember.get(id) ?? []), row]);
  }
  const inState = (wanted: FleetMember['state']) => members.filter(({ state }) => state === wanted).length;
  return {
    running: inState('running'),
    pending: inState('pending'),
    agents: members.filter(({ state }) => state !== 'pending').map((member) => viewAgent(member, byMember.get(member.id) ?? [])),
  };
}

/** An agent's name begins with the instance or process that it runs on, and ends with what tells it from an earlier one there. */
const memberIdOf = (agentId: string) => agentId.slice(0, Math.max(0, agentId.lastIndexOf('-'))) || agentId;

function viewAgent({ id, instanceId, state, type, zone, since }: FleetMember, rows: readonly Provisional[]): AgentView {
  const working = rows.length > 0 ? 'working' : 'idle';
  const told = { inFlight: 0, targetsPerSecond: 0, bytesPerSecond: 0 };
  for (const { inFlight = 0, rate, byteRate = 0 } of rows) {
    told.inFlight += inFlight;
    told.targetsPerSecond += rate;
    told.bytesPerSecond += byteRate;
  }
  return {
    id,
    instanceId,
    state: state === 'leaving' ? 'leaving' : working,
    type,
    zone,
    since,
    ...told,
    lastHeartbeat: rows.length === 0 ? null : Math.max(...rows.map(({ updatedAt }) => updatedAt)),
  };
}
