import type { Clock } from '../../../core/clock.ts';
import { PrewarmError } from '../../../core/errors.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Random } from '../../../testing/random.ts';
import type { Scenario } from './scenario.ts';
import type { VirtualTime } from '../../../testing/virtual-time.ts';

/** 2026-01-01: clocks tell milliseconds since the epoch. */
const START_OF_TIME = Date.UTC(2026, 0, 1);
/** More calls than this in one moment of virtual time: a loop that never lets time pass. */
const MAX_CALLS_A_MOMENT = 50_000;

/** What processes run on; its clock may be wrong, and stays so when its process is started again. */
export interface Host {
  readonly name: string;
  offsetMs: number;
}

/** One incarnation of a process. Whatever it does to the outside goes through `call`; a dead one never gets to know of anything again. */
export interface SimProcess {
  readonly name: string;
  readonly host: Host;
  readonly alive: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Does something outside of the process, with delay and whatever faults strike. */
  call<T>(what: string, act: () => Promise<T>): Promise<T>;
  /** Takes note of something done that goes through no call. */
  note(what: string): void;
  /** Ends it, as kill -9 does. `onEnd` is told once. */
  end(why: string): void;
  /** Stands still for so long, then goes on as if nothing had been. */
  freeze(ms: number): void;
}

export interface SimProcessOptions {
  readonly name: string;
  readonly host: Host;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly pace: Scenario['pace'];
  readonly onEnd: (why: string) => void;
}

/** What a fault throws; anything else that a step throws is a fault of the program. */
export class InjectedFault extends PrewarmError {
  constructor(what: string) {
    super('storage', `${what}: injected`);
    this.name = 'InjectedFault';
  }
}

const never = <T>() => new Promise<T>(() => {});

export function createSimProcess(options: SimProcessOptions): SimProcess {
  const { name, host, time, faults, journal, pace } = options;
  const random = options.random.fork(name);
  let alive = true;
  let frozenUntil = 0;
  let moment = -1;
  let callsThisMoment = 0;

  function after(ms: number, fn: () => void): () => void {
    let cancel = time.after(ms, function fire() {
      if (!alive) return;
      if (time.now() < frozenUntil) cancel = time.after(frozenUntil - time.now(), fire);
      else fn();
    });
    return () => cancel();
  }

  function end(why: string): void {
    if (!alive) return;
    alive = false;
    journal.note(name, `ends: ${why}`);
    options.onEnd(why);
  }

  function guardAgainstLivelock(what: string): void {
    callsThisMoment = time.now() === moment ? callsThisMoment + 1 : 0;
    moment = time.now();
    if (callsThisMoment < MAX_CALLS_A_MOMENT) return;
    journal.violated(`a process calls ${what.split(' ')[0]} over and over in one moment`);
    end('livelock');
  }

  /** Most calls take no time to speak of, some a while, and when it strikes, seconds. */
  function pause(): Promise<void> | null {
    const ms = faults.strikes('call_slow', random, name)
      ? random.between(1000, 8000)
      : random.chance(pace.share)
        ? random.between(1, pace.maximumMs)
        : 0;
    return ms === 0 ? null : new Promise((resolve) => after(ms, resolve));
  }

  async function call<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (!alive) return never();
    guardAgainstLivelock(what);
    const before = pause();
    if (before !== null) await before;
    if (alive && faults.strikes('crash_at_call', random, name)) end(`before ${what}`);
    if (!alive) return never();
    journal.note(name, what);
    if (faults.strikes('call_refused', random, name)) throw new InjectedFault(`${what} refused`);
    const result = await act();
    if (alive && faults.strikes('crash_at_call', random, name)) end(`after ${what}`);
    if (!alive) return never();
    const behind = pause();
    if (behind !== null) await behind;
    if (!alive) return never();
    if (faults.strikes('call_unanswered', random, name)) throw new InjectedFault(`${what} unanswered`);
    return result;
  }

  return {
    name,
    host,
    get alive() {
      return alive;
    },
    clock: { now: () => START_OF_TIME + time.now() + host.offsetMs, after },
    random,
    call,
    note: (what) => journal.note(name, what),
    end,
    freeze: (ms) => {
      frozenUntil = Math.max(frozenUntil, time.now() + ms);
      journal.note(name, `frozen for ${ms}`);
    },
  };
}
