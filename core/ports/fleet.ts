/** What failed when the fleet tried to become as large as it was told to. */
export interface FailedActivity {
  readonly at: number;
  readonly message: string;
}

/** What stands in the way of agents, as far as the fleet knows. */
export interface FleetState {
  /** Agents asked for, those on demand included. */
  readonly capacity: number;
  /** Agents asked for on demand, because Spot did not deliver them. */
  readonly onDemand: number;
  /** How long Spot is given to deliver; 0: for ever. */
  readonly fallbackMinutes: number;
  readonly lastFailedActivity: FailedActivity | null;
}

/** One machine or process that an agent runs on. */
export interface FleetMember {
  /** The id of the instance, or of the process on this machine. */
  readonly id: string;
  /** Null: it is a process of this machine, which has no type and no zone either. */
  readonly instanceId: string | null;
  /** `pending`: it is coming up, and has no agent yet. */
  readonly state: 'pending' | 'running' | 'leaving';
  readonly type: string | null;
  readonly zone: string | null;
  /** When it was started; null: the fleet does not know any more. */
  readonly since: number | null;
}

/** The fleet as it is at the moment. */
export interface FleetInspection extends Pick<FleetState, 'capacity' | 'onDemand' | 'lastFailedActivity'> {
  readonly members: readonly FleetMember[];
}

/** The agents. `setCapacity` has no condition, so whoever changes a claim calls reconcileFleet, which corrects stale calls. */
export interface Fleet {
  readonly maximum: number;
  getCapacity(): Promise<number>;
  setCapacity(agents: number): Promise<void>;
  /** Absent: the fleet is processes of this machine, and nothing stands in their way. */
  describe?(): Promise<FleetState>;
  inspect(): Promise<FleetInspection>;
}
