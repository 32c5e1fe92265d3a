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

/** The agents. `setCapacity` has no condition, so whoever changes a claim calls reconcileFleet, which corrects stale calls. */
export interface Fleet {
  readonly maximum: number;
  getCapacity(): Promise<number>;
  setCapacity(agents: number): Promise<void>;
  /** Absent: the fleet is processes of this machine, and nothing stands in their way. */
  describe?(): Promise<FleetState>;
}
