/** The agents. `setCapacity` has no condition, so whoever changes a claim calls reconcileFleet, which corrects stale calls. */
export interface Fleet {
  readonly maximum: number;
  getCapacity(): Promise<number>;
  setCapacity(agents: number): Promise<void>;
}
