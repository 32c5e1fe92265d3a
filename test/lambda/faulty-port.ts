import { PrewarmError } from '../../core/errors.ts';

/** `before`: the call fails and nothing has happened. `after`: it has happened, and the answer is lost. */
export type PortFault = 'before' | 'after';

export interface Faults {
  /** Which fault there is to the `nth` call (from 1) of all ports together. */
  decide: (nth: number) => PortFault | null;
  calls: number;
  happened: number;
}

export function createFaults(): Faults {
  return { decide: () => null, calls: 0, happened: 0 };
}

function failure(name: string): PrewarmError {
  return new PrewarmError('storage', `${name}: by a fault of the test`);
}

async function called<T>(faults: Faults, name: string, call: () => Promise<T>): Promise<T> {
  faults.calls += 1;
  const fault = faults.decide(faults.calls);
  if (fault !== null) faults.happened += 1;
  if (fault === 'before') throw failure(name);
  const answer = await call();
  if (fault === 'after') throw failure(name);
  return answer;
}

async function* streamed<T>(faults: Faults, name: string, read: () => AsyncIterable<T>): AsyncGenerator<T> {
  await called(faults, name, async () => undefined);
  yield* read();
}

/** The same port, with faults on the way to it. Methods in `reads` answer streams. */
export function faultyPort<Port extends object>(port: Port, faults: Faults, reads: readonly string[] = []): Port {
  return new Proxy(port, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      const method = (...args: unknown[]) => Reflect.apply(value, target, args) as unknown;
      if (reads.includes(String(name))) {
        return (...args: unknown[]) => streamed(faults, String(name), () => method(...args) as AsyncIterable<unknown>);
      }
      return (...args: unknown[]) => called(faults, String(name), async () => method(...args));
    },
  });
}
