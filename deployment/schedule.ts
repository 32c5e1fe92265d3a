/** How often a schedule runs. */
export interface Schedule {
  /** On a day on which it runs at all. */
  readonly runsPerDay: number;
}

const MINUTES_PER_DAY = 1440;
const UNIT_MINUTES: Readonly<Record<string, number>> = { minute: 1, hour: 60, day: MINUTES_PER_DAY };
const REMEDY = 'write rate(N minutes) with N from 1 to 1440, or cron(minutes hours day-of-month month day-of-week year)';

/** The fields of a cron expression that decide how often it runs a day, and the values they may have. */
const MINUTE = { name: 'minutes', from: 0, to: 59 };
const HOUR = { name: 'hours', from: 0, to: 23 };
const DAY_FIELDS = /^(\?|\*|[0-9A-Z,\-/#LW]+)$/i;

type Parsed<T> = T | { readonly fault: string };

/** The values that one part of a list means: `*`, `5`, `1-5`, each with `/step`. */
function expandPart(part: string, { name, from, to }: typeof MINUTE): Parsed<readonly number[]> {
  const match = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
  if (match === null) return { fault: `has ${name} that cannot be read, ${JSON.stringify(part)}; ${REMEDY}` };
  const [, star, first, last, step] = match;
  const low = star === undefined ? Number(first) : from;
  const high = star !== undefined || (last === undefined && step !== undefined) ? to : Number(last ?? first);
  const stride = step === undefined ? 1 : Number(step);
  if (low < from || high > to || low > high || stride === 0) {
    return { fault: `has ${name} beyond ${from} to ${to}, or a step of 0, in ${JSON.stringify(part)}; ${REMEDY}` };
  }
  return Array.from({ length: Math.floor((high - low) / stride) + 1 }, (_, at) => low + at * stride);
}

function expand(text: string, field: typeof MINUTE): Parsed<ReadonlySet<number>> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const expanded = expandPart(part, field);
    if ('fault' in expanded) return expanded;
    for (const value of expanded) values.add(value);
  }
  return values;
}

function parseCron(inner: string): Parsed<Schedule> {
  const fields = inner.trim().split(/\s+/);
  const [minutes = '', hours = '', ...days] = fields;
  if (fields.length !== 6) return { fault: `has ${fields.length} fields instead of 6; ${REMEDY}` };
  const wrong = days.find((field) => !DAY_FIELDS.test(field));
  if (wrong !== undefined) return { fault: `has a field that cannot be read, ${JSON.stringify(wrong)}; ${REMEDY}` };
  if ((days[0] === '?') === (days[2] === '?')) {
    return { fault: 'needs a ? as day of month or as day of week, and not as both' };
  }
  const everyMinute = expand(minutes, MINUTE);
  if ('fault' in everyMinute) return everyMinute;
  const everyHour = expand(hours, HOUR);
  if ('fault' in everyHour) return everyHour;
  return { runsPerDay: everyMinute.size * everyHour.size };
}

function parseRate(inner: string): Parsed<Schedule> {
  const match = /^\s*(\d{1,6})\s+(minute|hour|day)s?\s*$/.exec(inner);
  const count = Number(match?.[1]);
  const minutes = count * (UNIT_MINUTES[match?.[2] ?? ''] ?? Number.NaN);
  if (count === 0) return { fault: `never runs with a rate of 0; ${REMEDY}` };
  if (!(minutes >= 1 && minutes <= MINUTES_PER_DAY)) return { fault: `is no rate from one minute to one day; ${REMEDY}` };
  return { runsPerDay: MINUTES_PER_DAY / minutes };
}

/** Reads a schedule's expression as EventBridge does, bounded to one run a minute at most and one a day at least. */
export function parseSchedule(text: string): Parsed<Schedule> {
  const match = /^(rate|cron)\((.*)\)$/.exec(text.trim());
  if (match === null) return { fault: `is no schedule; ${REMEDY}` };
  return match[1] === 'rate' ? parseRate(match[2] ?? '') : parseCron(match[2] ?? '');
}
