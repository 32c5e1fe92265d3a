import { parseArgs } from 'node:util';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts';
import { simulate, type SimulationResult } from './simulate.ts';

const USAGE = `usage: node test/system/simulation/main.ts [--seeds N] [--from S] [--seed S [--trace]] [--bug ${PLANTED_BUGS.join('|')}] [--stats]
  --seeds N   so many seeds (500), from --from (1) on
  --seed S    this seed only; with --trace every event of it
  --bug B     puts a bug in on purpose
  --stats     tells how often each fault struck and how requests ended
Exit 0: every invariant held; 1: a seed failed, which is printed; 2: wrong usage.
`;

const wholeNumber = (text: string | undefined, otherwise: number) => {
  const number = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`${text} is not a whole number`);
  return number;
};

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      bug: { type: 'string' },
      trace: { type: 'boolean', default: false },
      stats: { type: 'boolean', default: false },
    },
  });
  const bug = PLANTED_BUGS.find((one) => one === values.bug) ?? null;
  if (values.bug !== undefined && bug === null) throw new RangeError(`there is no bug called ${values.bug}`);
  const only = values.seed === undefined ? null : wholeNumber(values.seed, 0);
  const from = only ?? wholeNumber(values.from, 1);
  return { bug, from, seeds: only === null ? wholeNumber(values.seeds, 500) : 1, trace: values.trace, stats: values.stats };
}

function printFailure({ seed, violations, hash, virtualMs }: SimulationResult, bug: PlantedBug | null): void {
  process.stdout.write(`seed ${seed} fails after ${virtualMs} ms of virtual time (events ${hash}):\n`);
  for (const violation of violations) process.stdout.write(`  ${violation}\n`);
  process.stdout.write(`replay: node test/system/simulation/main.ts --seed ${seed} --trace${bug === null ? '' : ` --bug ${bug}`}\n`);
}

function printStats(results: readonly SimulationResult[]): void {
  const sums = new Map<string, number>();
  const add = (key: string, by: number) => sums.set(key, (sums.get(key) ?? 0) + by);
  for (const { seen, outcomes, virtualMs } of results) {
    for (const [what, times] of [...seen, ...outcomes]) add(what, times);
    add('virtual seconds', Math.round(virtualMs / 1000));
    if (seen.size === 0) add('seeds without any fault', 1);
  }
  for (const [key, sum] of [...sums].toSorted(([a], [b]) => a.localeCompare(b))) process.stdout.write(`${key}: ${sum}\n`);
}

async function main(): Promise<number> {
  const { bug, from, seeds, trace, stats } = parseOptions();
  const results: SimulationResult[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const result = await simulate(seed, { bug, ...(trace ? { onLine: (line: string) => process.stdout.write(`${line}\n`) } : {}) });
    results.push(result);
    if (result.violations.length > 0) printFailure(result, bug);
  }
  if (stats) printStats(results);
  const failed = results.filter(({ violations }) => violations.length > 0).length;
  process.stdout.write(`${seeds - failed} of ${seeds} seeds hold every invariant\n`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof RangeError || (error instanceof TypeError && 'code' in error))) throw error;
  process.stderr.write(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
