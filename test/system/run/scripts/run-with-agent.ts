/** `prewarm run` with another agent: its main file, then FILE, and flags as `--name value` or `--name`. */
import { run } from '../../../../cli/commands/run.ts';

const [agentEntry = '', file, ...args] = process.argv.slice(2);
const LISTS = new Set(['pops', 'header', 'url']);
const flags: Record<string, unknown> = {};
for (let at = 0; at < args.length; at++) {
  const name = (args[at] ?? '').replace(/^--/, '').replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const value = args[at + 1];
  if (value === undefined || value.startsWith('--')) flags[name] = true;
  else {
    flags[name] = LISTS.has(name) ? [value] : value;
    at += 1;
  }
}
process.exitCode = await run(file, flags, { agentEntry });
