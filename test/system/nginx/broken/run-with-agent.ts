import { parseArgs } from 'node:util';
import { run } from '../../../../cli/commands/run.ts';

/** `prewarm run` with another agent: the path of its main file, then FILE and flags as the command takes them. */
const [agentEntry = '', ...args] = process.argv.slice(2);

const { values, positionals } = parseArgs({
  args,
  allowPositionals: true,
  options: {
    pops: { type: 'string', multiple: true },
    'allow-private-addresses': { type: 'boolean' },
    json: { type: 'boolean' },
    domain: { type: 'string' },
    'dns-server': { type: 'string' },
    'edge-port': { type: 'string' },
    'edge-http-port': { type: 'string' },
    'ca-file': { type: 'string' },
    out: { type: 'string' },
  },
});
const camelCase = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
const flags = Object.fromEntries(Object.entries(values).map(([name, value]) => [camelCase(name), value]));
process.exitCode = await run(positionals[0], flags, { agentEntry });
