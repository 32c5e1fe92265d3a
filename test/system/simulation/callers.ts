import { sleep } from '../../../core/clock.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { SimRequest } from './scenario.ts';
import { InjectedFault } from './sim-process.ts';
import { type SimWorker, stackOf } from './sim-worker.ts';
import type { World } from './world.ts';

const RETRY_MS = 3000;

/** The people and scripts outside: they make requests until one is there, stop them, and change their claims. */
export function startCallers(world: World, workers: readonly SimWorker[], seen: Pick<RequestStore, 'get'>): void {
  const { time, scenario, journal } = world;
  const random = world.random.fork('callers');

  /** Sends a call to some worker that runs; `onDone` is told of success. An answer that never comes is nobody's business here. */
  function call(act: (worker: NonNullable<ReturnType<SimWorker['running']>>) => Promise<unknown>, onDone = () => {}): void {
    const running = workers.flatMap((worker) => worker.running() ?? []);
    if (running.length === 0) return;
    act(random.pick(running)).then(onDone, (error: unknown) => {
      if (!(error instanceof InjectedFault)) journal.violated(`a call failed: ${stackOf(error)}`);
    });
  }

  async function make(request: SimRequest): Promise<void> {
    const { id, spec } = request;
    const urls = request.urls.map(({ url }) => url);
    let answered = false;
    const done = () => {
      answered = true;
    };
    while (!(answered || (scenario.hasFleetTimer && (await seen.get(id)) !== null))) {
      for (let caller = 0; caller < request.callers; caller++) call(({ pipeline }) => pipeline.accept({ id, spec, urls }), done);
      await sleep(time, RETRY_MS);
    }
  }

  const stop = (id: string) => call(({ pipeline }) => pipeline.end(id, 'STOPPED', 'by the simulation'));

  function stopOnChange({ id, stopsOn }: SimRequest): void {
    if (stopsOn === null) return;
    let left = stopsOn.nth;
    world.changeListeners.add((changed, change) => {
      if (changed !== id || change !== stopsOn.change) return;
      left -= 1;
      if (left === 0) time.after(stopsOn.afterMs, () => stop(id));
    });
  }

  for (const request of scenario.requests) {
    const { id, claimChange } = request;
    time.after(request.arrivesAt, () => {
      make(request).catch((error: unknown) => journal.violated(`a caller failed: ${stackOf(error)}`));
    });
    for (const at of request.stopsAt) {
      time.after(at, () => stop(id));
      if (random.chance(0.3)) time.after(at, () => stop(id));
    }
    stopOnChange(request);
    if (claimChange === null) continue;
    time.after(claimChange.at, () => {
      call(async ({ ports, pipeline }) => {
        if (await ports.store.setRequestClaim(id, claimChange.agents)) await pipeline.reconcileFleet();
      });
    });
  }
}
