import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Shows the agents of one instance which of them are busy. */
export interface BusyMarkers {
  /** Sets or takes away this agent's own marker. */
  set(busy: boolean): void;
  /** Whether any agent of the instance is busy. */
  any(): boolean;
  /** An earlier process of the same number left its marker behind. */
  readonly wasBusy: boolean;
}

/**
 * One empty file per busy agent, named by the agent's number: one that was killed is busy until the process that takes its
 * place says otherwise, which is right, as its tasks are still leased. `dir` null: this agent is the only one.
 */
export function createBusyMarkers(dir: string | null, agentNumber: number): BusyMarkers {
  if (dir === null) {
    let own = false;
    return {
      set: (busy) => {
        own = busy;
      },
      any: () => own,
      wasBusy: false,
    };
  }
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `busy-${agentNumber}`);
  const names = () => readdirSync(dir).filter((name) => name.startsWith('busy-'));
  return {
    set: (busy) => (busy ? writeFileSync(file, '') : rmSync(file, { force: true })),
    any: () => names().length > 0,
    wasBusy: names().includes(`busy-${agentNumber}`),
  };
}
