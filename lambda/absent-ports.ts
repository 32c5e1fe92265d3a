import { systemClock } from '../core/clock.ts';
import type { PipelinePorts } from '../core/ports/ports.ts';

/** Stands for a port that the steps of a function never reach: whoever does reach it is a fault of the program. */
function absent(name: string): object {
  return new Proxy(
    {},
    {
      get() {
        throw new Error(`${name} is no port of this function`);
      },
    },
  );
}

const NAMES = ['store', 'lists', 'viewerHeaders', 'tasks', 'fleet', 'timers', 'invalidations', 'resolver', 'downloader', 'events'] as const;

/** What a function replaces by the ports it has. */
export const ABSENT_PORTS = {
  ...Object.fromEntries(NAMES.map((name) => [name, absent(name)])),
  clock: systemClock,
} as PipelinePorts;
