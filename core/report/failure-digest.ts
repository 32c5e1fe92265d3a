import { type FailedRow, readFailedRow } from './result-row.ts';

/** Failed targets of one URL for one reason. */
export interface FailureGroup {
  readonly reason: string;
  readonly url: string;
  /** Where they failed, in the report's order. */
  readonly pops: readonly string[];
  readonly targets: number;
  /** What stood behind the reason where it was seen first; '': nothing is known. */
  readonly cause: string;
}

/** Everything that failed for one reason. */
export interface ReasonTotal {
  readonly reason: string;
  readonly targets: number;
  /** Distinct URLs, as far as they were kept apart. */
  readonly urls: number;
  /** False: there are more URLs than were kept apart. */
  readonly isWhole: boolean;
  /** Where they failed, in the report's order. */
  readonly pops: readonly FailedPop[];
}

/** What failed at one POP for one reason. */
export interface FailedPop {
  readonly pop: string;
  /** As far as they were kept apart. */
  readonly urls: number;
  /** What stood behind the reason where it was seen first; '': nothing is known. */
  readonly cause: string;
}

/** What failed of a request, by reason and URL. It is fed the failed rows of a report, one line after another. */
export interface FailureDigest {
  /** A row of a report without its line end; rows of warm targets and the header are passed over. */
  add(line: string): void;
  /** Most targets first. What was never tried (`stopped`) comes after what was. */
  groups(): readonly FailureGroup[];
  /** In the same order. */
  reasons(): readonly ReasonTotal[];
}

/** A million failed targets may be as many URLs, so that the memory for them has a limit. */
const MAX_GROUPS = 10_000;
const MAX_CHARACTERS = 8_000_000;

interface GrowingGroup {
  readonly reason: string;
  readonly url: string;
  readonly pops: string[];
  targets: number;
  cause: string;
}

interface GrowingTotal {
  readonly reason: string;
  readonly pops: Map<string, { readonly pop: string; urls: number; cause: string }>;
  targets: number;
  urls: number;
  isWhole: boolean;
}

interface Ranked {
  readonly reason: string;
  readonly targets: number;
}

const byWeight = (a: Ranked, b: Ranked) => Number(a.reason === 'stopped') - Number(b.reason === 'stopped') || b.targets - a.targets;

/** Groups beyond 10,000 (or fewer where URLs are long) are counted in the totals of their reason only. */
export function createFailureDigest(maxGroups = MAX_GROUPS): FailureDigest {
  const groups = new Map<string, GrowingGroup>();
  const totals = new Map<string, GrowingTotal>();
  let characters = 0;

  function totalOf(reason: string): GrowingTotal {
    let total = totals.get(reason);
    if (total === undefined) {
      total = { reason, pops: new Map(), targets: 0, urls: 0, isWhole: true };
      totals.set(reason, total);
    }
    return total;
  }

  function groupOf({ reason, url, cause }: FailedRow, total: GrowingTotal): GrowingGroup | null {
    const key = `${reason} ${url}`;
    const known = groups.get(key);
    if (known !== undefined) return known;
    if (groups.size >= maxGroups || characters + key.length > MAX_CHARACTERS) {
      total.isWhole = false;
      return null;
    }
    characters += key.length + cause.length;
    total.urls += 1;
    const group = { reason, url, pops: [], targets: 0, cause };
    groups.set(key, group);
    return group;
  }

  return {
    add(line) {
      const row = readFailedRow(line);
      if (row === null) return;
      const total = totalOf(row.reason);
      total.targets += 1;
      const place = total.pops.get(row.pop) ?? { pop: row.pop, urls: 0, cause: '' };
      total.pops.set(row.pop, place);
      if (place.cause === '') place.cause = row.cause;
      const group = groupOf(row, total);
      if (group === null) return;
      group.targets += 1;
      if (group.cause === '') group.cause = row.cause;
      // A report tells one POP after another, so that all rows of one POP follow each other.
      if (group.pops.at(-1) === row.pop) return;
      group.pops.push(row.pop);
      place.urls += 1;
    },
    groups: () => [...groups.values()].toSorted(byWeight),
    reasons: () => [...totals.values()].map((total) => ({ ...total, pops: [...total.pops.values()] })).toSorted(byWeight),
  };
}
