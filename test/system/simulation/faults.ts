import type { Journal } from './journal.ts';
import type { Random } from '../../../testing/random.ts';
import type { VirtualTime } from '../../../testing/virtual-time.ts';

/** Everything that may go wrong, and the greatest rate (per occasion) at which a seed lets it. */
const WORST_RATES = {
  /** A call of a store, queue or list fails and has done nothing. */
  call_refused: 0.06,
  /** It fails, or times out, and was done. */
  call_unanswered: 0.06,
  /** It takes seconds. */
  call_slow: 0.03,
  /** A conditional write comes long after the read that it follows from. */
  write_stale: 0.4,
  /** The process dies right before or after a call: after any await, that is. */
  crash_at_call: 0.01,
  /** A read of a list breaks off in the middle. */
  read_cut: 0.05,
  message_twice: 0.2,
  message_late: 0.2,
  /** A message is nowhere to be seen for a minute. */
  message_lost: 0.08,
  messages_shuffled: 0.5,
  /** Sending fails after some of the messages have gone. */
  send_cut: 0.1,
  /** Messages are leased, and the answer that says so never arrives. */
  delivery_lost: 0.05,
  /** A lease ends far too early, and somebody else gets the message too. */
  lease_cut: 0.15,
  /** A change is told again although it was dealt with. */
  record_again: 0.3,
  records_shuffled: 0.5,
  /** Changes are told later than others that came after them. */
  record_held: 0.3,
  timer_twice: 0.5,
  /** A download fails without an answer. */
  edge_error: 0.15,
  edge_5xx: 0.1,
  edge_truncated: 0.1,
  edge_slow: 0.05,
  /** A name that resolves does not for once. */
  pop_unresolved: 0.1,
  /** Rates of what befalls a process from outside, each time somebody looks for a victim. */
  kill: 0.5,
  freeze: 0.5,
  sigterm: 0.5,
  clock_jump: 0.5,
} as const;

type FaultKind = keyof typeof WORST_RATES;

export interface Faults {
  /** Virtual time from which nothing goes wrong any more. */
  readonly calmFrom: number;
  /** Whether this goes wrong now. */
  strikes(kind: FaultKind, random: Random, who: string): boolean;
  /** Says that the run was disturbed in a way that is no fault: an agent that left with work in its hands, say. */
  disturbed(by: string): void;
  /** What has struck or disturbed, with how often. */
  readonly seen: ReadonlyMap<string, number>;
}

const CALM_SHARE = 0.15;

/** Half of the kinds of faults, at rates from rare to worst, for up to a minute and a half; some seeds stay calm throughout. */
export function createFaults(seeded: Random, time: VirtualTime, journal: Journal): Faults {
  const random = seeded.fork('faults');
  const isCalm = random.chance(CALM_SHARE);
  const calmFrom = isCalm ? 0 : random.between(5, 90) * 1000;
  const rates = new Map<FaultKind, number>();
  for (const [kind, worst] of Object.entries(WORST_RATES)) {
    rates.set(kind as FaultKind, random.chance(0.5) ? worst * random.pick([0.05, 0.3, 1]) : 0);
  }
  const seen = new Map<string, number>();
  const add = (kind: string) => seen.set(kind, (seen.get(kind) ?? 0) + 1);
  return {
    calmFrom,
    strikes: (kind, own, who) => {
      if (time.now() >= calmFrom || !own.chance(rates.get(kind) ?? 0)) return false;
      add(kind);
      journal.note(who, `! ${kind}`);
      return true;
    },
    disturbed: add,
    seen,
  };
}
