import { describe, expect, test } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import { retry } from '../../core/retry.ts';

/** A clock that is there at once, and tells what it was asked to wait for. */
function clockThatSkips() {
  const pauses: number[] = [];
  const clock: Clock = {
    now: () => 0,
    after(ms, fn) {
      pauses.push(ms);
      queueMicrotask(fn);
      return () => undefined;
    },
  };
  return { clock, pauses };
}

/** Fails with each of the faults in turn, then answers; counts its calls. */
function failing(...faults: readonly string[]) {
  const state = { calls: 0 };
  const action = async () => {
    const fault = faults[state.calls++];
    if (fault !== undefined) throw new Error(fault);
    return 'done';
  };
  return { state, action };
}

const plan = {
  tries: 3,
  pauseMs: (tried: number) => tried * 10,
  mayPass: (error: unknown) => error instanceof Error && error.message !== 'final',
};

describe('an action that is tried again', () => {
  test('an action is not repeated once it has succeeded, and does not wait if it succeeds at once', async () => {
    const { clock, pauses } = clockThatSkips();
    const { action, state } = failing();
    expect(await retry(clock, plan, action)).toBe('done');
    expect({ calls: state.calls, pauses }).toEqual({ calls: 1, pauses: [] });
  });

  test('an action succeeds after failures that pass, with the pause of each try between them', async () => {
    const { clock, pauses } = clockThatSkips();
    const { action, state } = failing('busy', 'busy');
    expect(await retry(clock, plan, action)).toBe('done');
    expect({ calls: state.calls, pauses }).toEqual({ calls: 3, pauses: [10, 20] });
  });

  test('an action fails with the failure of its last try, and does not judge that failure again', async () => {
    const { clock, pauses } = clockThatSkips();
    const asked: string[] = [];
    const mayPass = (error: unknown) => asked.push(String(error)) > 0;
    const { action, state } = failing('first', 'second', 'third', 'fourth');
    await expect(retry(clock, { ...plan, mayPass }, action)).rejects.toThrow('third');
    expect({ calls: state.calls, pauses, asked }).toEqual({ calls: 3, pauses: [10, 20], asked: ['Error: first', 'Error: second'] });
  });

  test('an action fails at once with a failure that does not pass', async () => {
    const { clock, pauses } = clockThatSkips();
    const { action, state } = failing('busy', 'final');
    await expect(retry(clock, plan, action)).rejects.toThrow('final');
    expect({ calls: state.calls, pauses }).toEqual({ calls: 2, pauses: [10] });
  });
});
