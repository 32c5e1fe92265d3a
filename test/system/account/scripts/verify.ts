import { parseArgs } from 'node:util';
import { readDeployedAccount } from '../deployed-account.ts';
import { verifyAccount } from '../verify-account.ts';

const USAGE = `npm run verify:account -- [--stack NAME] [--pops POP,... URL ...]
  --stack NAME     the deployed stack; default PrewarmStack
  --pops POP,...   with URLs: warms them through these POPs, twice; an instance runs for some minutes
  --endpoint URL   where the API is asked instead of where the stack's output says
  --minutes N      for one request to end; default 15
Exit code 0: all of it holds; 1: something does not; 2: bad usage.
`;
const MINUTE_MS = 60_000;

function readArguments() {
  const { values, positionals: urls } = parseArgs({
    allowPositionals: true,
    options: {
      stack: { type: 'string', default: 'PrewarmStack' },
      pops: { type: 'string' },
      endpoint: { type: 'string' },
      minutes: { type: 'string', default: '15' },
      help: { type: 'boolean', default: false },
    },
  });
  const pops = values.pops?.split(',') ?? [];
  if (urls.length > 0 !== pops.length > 0) throw new Error('URLs and --pops go together');
  const withinMs = Number(values.minutes) * MINUTE_MS;
  if (!(withinMs > 0)) throw new Error(`--minutes: ${values.minutes}: pass a number above 0`);
  return { ...values, warming: urls.length === 0 ? null : { urls, pops, withinMs } };
}

async function main(): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  if (given.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  let failed = 0;
  const account = await readDeployedAccount(given.stack, given.endpoint);
  for await (const { what, holds, seen } of verifyAccount(account, given.warming)) {
    if (!holds) failed += 1;
    process.stdout.write(`${holds ? 'holds ' : 'FAILS '} ${what}${holds && given.warming === null ? '' : `\n        ${seen}`}\n`);
  }
  process.stdout.write(failed === 0 ? 'all of it holds\n' : `${failed} do not hold\n`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`nothing was verified: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
