const BUSY = 0.9;
const IDLE = 0.75;

/**
 * How many downloads an agent has in flight in all. More in flight than its processor can serve only costs memory and time
 * (measured: 256 near ones are slower than 64), so the number grows while the event loop has time to spare and shrinks when it has none.
 */
export class AgentLimit {
  limit: number;
  readonly #floor: number;
  readonly #ceiling: number;

  constructor(floor: number, ceiling: number) {
    this.limit = floor;
    this.#floor = floor;
    this.#ceiling = ceiling;
  }

  /** `load`: share of the last moment in which the event loop was busy, 0 to 1. `saturated`: the limit kept more from starting. */
  observe(load: number, saturated: boolean): void {
    if (load > BUSY) this.limit = Math.max(this.#floor, Math.round(this.limit * 0.9));
    else if (saturated && load < IDLE) this.limit = Math.min(this.#ceiling, this.limit * 2);
  }
}
